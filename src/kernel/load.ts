import { attend } from './attend.ts';
import { createPackedCache } from './cache.ts';
import type { Kernel, KernelName } from './interface.ts';
import { Machine } from './machine.ts';
import { multiHeadAttentionSteps } from './multi-head.ts';
import { checkInput, checkMatrix, resolveProblem } from './problem.ts';
import { multiply } from './product.ts';
import { createReferenceKernel } from './reference.ts';
import { atOnce, type Steps } from './steps.ts';

/** Bytes of the compiled kernels (dist/kernel); what is absent or cannot run here is passed over. */
export interface KernelBinaries {
  /** attention-relaxed.wasm */
  readonly relaxed?: BufferSource;
  /** attention.wasm */
  readonly simd?: BufferSource;
}

/** A memory grown beyond this is given up after the run: WebAssembly memory never shrinks. */
const KEPT_BYTES = 64 * 1024 * 1024;

/** Kernel on a compiled module. Instances are made when needed and dropped when they grew large. */
function createWasmKernel(name: KernelName, module: WebAssembly.Module): Kernel {
  let kept: Machine | undefined;
  /** A machine is out while it computes: what is called in between two steps gets another. */
  function* on<T>(compute: (machine: Machine) => Steps<T>): Steps<T> {
    const machine = kept ?? new Machine(module);
    kept = undefined;
    machine.reset();
    const result = yield* compute(machine);
    if (machine.bytes <= KEPT_BYTES) kept = machine;
    return result;
  }
  const products = {
    *attentionSteps(...[problem, input, options = {}]: Parameters<Kernel['attention']>) {
      const resolved = resolveProblem(problem);
      checkInput(resolved, input);
      return yield* on((machine) => attend(machine, resolved, input, options));
    },
    *matrixMultiplySteps(...[problem, left, right, bias, reuse]: Parameters<Kernel['matrixMultiply']>) {
      checkMatrix(problem, left, right, bias);
      return yield* on((machine) => multiply(machine, problem, left, right, bias, reuse));
    },
  };
  const steps = {
    ...products,
    multiHeadAttentionSteps: (...[problem, input, options]: Parameters<Kernel['multiHeadAttention']>) =>
      multiHeadAttentionSteps(products, problem, input, options),
  };
  const calls = atOnce(steps);
  return { name, ...steps, ...calls, createCache: (problem) => createPackedCache(calls, module, problem) };
}

/** The fastest kernel that runs here: relaxed SIMD, SIMD128, else the TypeScript reference. Never rejects. */
export async function loadKernel(binaries: KernelBinaries): Promise<Kernel> {
  const candidates: readonly (readonly [KernelName, BufferSource | undefined])[] = [
    ['wasm-relaxed-simd', binaries.relaxed],
    ['wasm-simd', binaries.simd],
  ];
  for (const [name, bytes] of candidates) {
    try {
      if (bytes === undefined || typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) continue;
      return createWasmKernel(name, await WebAssembly.compile(bytes));
    } catch {
      // Compiling can be forbidden (a content security policy without wasm-unsafe-eval): the next one, in the end the reference.
    }
  }
  return createReferenceKernel();
}
