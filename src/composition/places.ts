import { join } from 'node:path';

/** The project's folder: two above this file, in the sources and in what is built from them. */
const ROOT = join(import.meta.dirname, '..', '..');

export const VIEWS = join(ROOT, 'views');
export const ASSETS = join(VIEWS, 'assets');
export const LOCALES = join(ROOT, 'locales');
