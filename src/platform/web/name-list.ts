import { z } from 'zod';

/** Several names of one form field: as boxes (`field[]`), or typed into one field with white space between them. */
export const nameList = z
  .union([z.array(z.string()), z.string().transform((text) => [...new Set(text.split(/\s+/).filter(Boolean))])])
  .default([]);
