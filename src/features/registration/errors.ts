import { AppError } from '../../kernel/errors.ts';

export const tokenNotFound = () => new AppError('registration.not_found', { status: 404 });
export const tokenEnded = () => new AppError('registration.ended', { status: 409 });
