import { AppError } from '../../kernel/errors.ts';

export const applicationNotFound = () => new AppError('clients.not_found', { status: 404 });
export const secretNotFound = () => new AppError('clients.secret_not_found', { status: 404 });
export const noSecret = () => new AppError('clients.public_has_no_secret', { status: 409 });
