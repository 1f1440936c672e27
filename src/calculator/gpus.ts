/**
 * What a data sheet promises of a GPU: dense peaks without sparsity, 10^9 operations a second, by the type of the factors (sums in 32 bits);
 * memory and its bandwidth in decimal gigabytes. Types that are absent have no peak of their own.
 */
export interface Gpu {
  /** As queries write it. */
  readonly name: string;
  readonly label: string;
  readonly gigaflops: Readonly<Partial<Record<'float32' | 'tfloat32' | 'float16' | 'bfloat16' | 'float8' | 'int8' | 'float4', number>>>;
  readonly gigabytesPerSecond: number;
  readonly memoryGigabytes: number;
  /** The data sheet. */
  readonly source: string;
}

const gpu = (
  name: string,
  label: string,
  [memoryGigabytes, gigabytesPerSecond]: readonly [number, number],
  gigaflops: Gpu['gigaflops'],
  source: string,
): Gpu => ({ name, label, gigaflops, gigabytesPerSecond, memoryGigabytes, source });

const half = (gigaflops: number) => ({ float16: gigaflops, bfloat16: gigaflops });

const ampere = { float32: 19_500, tfloat32: 156_000, ...half(312_000), int8: 624_000 };
const ampereSheet = 'NVIDIA A100 Tensor Core GPU data sheet (2021)';
const hopper = { float32: 67_000, tfloat32: 494_500, ...half(989_500), float8: 1_979_000, int8: 1_979_000 };
const hopperSheet = 'NVIDIA H100 Tensor Core GPU data sheet (2023)';

/**
 * Figures that sheets give with sparsity are halved. Held against published copies of the sheets' tables: A100, H100 SXM, L4, L40S, RTX 4090,
 * and B200 but for its 32-bit figure, which is 80 TFLOPS in one of them: the lower stands here. Not held against any: the peaks of H100 PCIe
 * and MI300X.
 */
export const gpus: readonly Gpu[] = [
  gpu('a100-40gb', 'A100 40GB SXM', [40, 1555], ampere, ampereSheet),
  gpu('a100', 'A100 80GB SXM', [80, 2039], ampere, ampereSheet),
  gpu('a100-pcie', 'A100 80GB PCIe', [80, 1935], ampere, ampereSheet),
  gpu('h100', 'H100 SXM', [80, 3350], hopper, hopperSheet),
  gpu(
    'h100-pcie',
    'H100 PCIe',
    [80, 2000],
    { float32: 51_000, tfloat32: 378_000, ...half(756_500), float8: 1_513_000, int8: 1_513_000 },
    hopperSheet,
  ),
  gpu('h200', 'H200 SXM', [141, 4800], hopper, 'NVIDIA H200 Tensor Core GPU data sheet (2024)'),
  gpu(
    'b200',
    'B200 (HGX)',
    [180, 8000],
    { float32: 75_000, tfloat32: 1_100_000, ...half(2_250_000), float8: 4_500_000, int8: 4_500_000, float4: 9_000_000 },
    'NVIDIA DGX B200 and Blackwell data sheets (2025), one of eight',
  ),
  gpu(
    'l4',
    'L4',
    [24, 300],
    { float32: 30_300, tfloat32: 60_000, ...half(121_000), float8: 242_500, int8: 242_500 },
    'NVIDIA L4 Tensor Core GPU data sheet (2023)',
  ),
  gpu(
    'l40s',
    'L40S',
    [48, 864],
    { float32: 91_600, tfloat32: 183_000, ...half(362_050), float8: 733_000, int8: 733_000 },
    'NVIDIA L40S GPU data sheet (2023)',
  ),
  gpu(
    'rtx4090',
    'GeForce RTX 4090',
    [24, 1008],
    { float32: 82_600, tfloat32: 82_600, ...half(165_200), float8: 330_300, int8: 660_600 },
    'NVIDIA Ada GPU Architecture whitepaper, table 2',
  ),
  gpu(
    'mi300x',
    'Instinct MI300X',
    [192, 5300],
    { float32: 163_400, tfloat32: 653_700, ...half(1_307_400), float8: 2_614_900, int8: 2_614_900 },
    'AMD Instinct MI300X data sheet (2023)',
  ),
];

export const gpuNames: readonly string[] = gpus.map(({ name }) => name);
