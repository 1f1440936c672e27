// `headwise/kernel`: the kernel for other programs, in Node and in browsers, in one file with its two binaries in it. Its interface,
// with shapes and units, is interface.ts.
import { bytes as relaxed } from 'kernel-binary:relaxed';
import { bytes as simd } from 'kernel-binary:simd';
import type { Kernel } from './interface.ts';
import { loadKernel } from './load.ts';

export * from './index.ts';

/** The fastest kernel that runs here, with nothing to fetch. Never rejects: where WebAssembly is forbidden it is the reference. */
export function openKernel(): Promise<Kernel> {
  return loadKernel({ relaxed, simd });
}
