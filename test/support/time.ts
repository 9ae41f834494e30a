import { types } from 'node:util';

const RealDate = Date;
let offset = 0;

/**
 * Date with an offset. It stands in for the global Date of this test file alone (Jest gives each file a global object of
 * its own), so that the product, its libraries and the tests agree on the time, and nothing has to sleep.
 */
class MovedDate extends RealDate {
  constructor(...values: ConstructorParameters<typeof Date> | []) {
    if (values.length === 0) super(MovedDate.now());
    else super(...values);
  }

  static override now(): number {
    return RealDate.now() + offset;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return types.isDate(value);
  }
}

/** From now on it is so many seconds later (or earlier) than it was. Dates in SQL (`now()`) do not move. */
export function moveTime(seconds: number): void {
  globalThis.Date = MovedDate as DateConstructor;
  offset += seconds * 1000;
}

export function resetTime(): void {
  offset = 0;
}
