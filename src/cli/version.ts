import { repository, version } from '../../package.json';

export const packageInfo = { version, homepage: repository.url.replace(/\.git$/, '') } as const;
