/** The compiled kernels, put into the bundle by scripts/build-kernel.mjs. */
declare module 'kernel-binary:*' {
  export const bytes: Uint8Array<ArrayBuffer>;
}
