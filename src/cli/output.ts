/** Where a command writes. */
export interface Output {
  readonly write: (text: string) => void;
  readonly writeErr: (text: string) => void;
  /** A line for the person, on standard error. */
  readonly note: (line: string) => void;
  readonly colorOut: boolean;
  readonly colorErr: boolean;
}

/** The process's own streams. https://no-color.org and FORCE_COLOR decide over the terminal. */
export function processOutput(): Output {
  const { env, stdout, stderr } = process;
  const color = (isTty: boolean | undefined): boolean => {
    if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
    if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '' && env.FORCE_COLOR !== '0') return true;
    return isTty === true && env.TERM !== 'dumb';
  };
  // A reader that has seen enough (`| head`) closes the pipe; that is no failure of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    write: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
    note: (line) => void stderr.write(`headwise: ${line}\n`),
    colorOut: color(stdout.isTTY),
    colorErr: color(stderr.isTTY),
  };
}
