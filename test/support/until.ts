/** Waits for what another process, or a cache, hears of by a notification a moment later. */
export async function until(check: () => Promise<boolean>, seconds = 5): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`it did not become true in ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
