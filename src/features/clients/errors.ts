import { AppError } from '../../kernel/errors.ts';

export const applicationNotFound = () => new AppError('clients.not_found', { status: 404 });
export const secretNotFound = () => new AppError('clients.secret_not_found', { status: 404 });
/** A browser and a program that is handed out keep no key of their own. */
export const publicHasNoKeys = () => new AppError('clients.public_has_no_keys', { status: 409 });
export const needsItsKeys = () => new AppError('clients.needs_its_keys', { status: 409 });
export const usesNoSecret = () => new AppError('clients.uses_no_secret', { status: 409 });
export const fapiSecret = () => new AppError('clients.fapi_secret', { status: 409 });
export const noSecret = () => new AppError('clients.public_has_no_secret', { status: 409 });
