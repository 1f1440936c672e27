/**
 * The one bundle of the server. A desktop runs it as a process, a browser as a worker; what either needs is loaded there alone, and the
 * analyser that both share is packaged once.
 */
const isNode = typeof process === 'object' && typeof process.versions?.node === 'string';

if (isNode) void import('./node.ts').then(({ startServer }) => startServer());
else void import('./browser.ts').then(({ startServer }) => startServer());
