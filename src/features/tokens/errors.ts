import { AppError } from '../../kernel/errors.ts';

export const tokenNotFound = () => new AppError('tokens.not_found', { status: 404 });
