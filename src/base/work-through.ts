/**
 * Acts on everything in the queue, so many at a time, also on what is pushed to it meanwhile; the last first, so that
 * a walk through a graph keeps its queue short. Rejects with what `act` rejects with first, and starts nothing then.
 */
export async function workThrough<Item>(
  queue: Item[],
  atOnce: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let running = 0;
  let hasFailed = false;
  async function run(item: Item): Promise<void> {
    running++;
    try {
      await act(item);
    } catch (error) {
      hasFailed = true;
      reject(error);
    }
    running--;
    fill();
  }
  function fill(): void {
    while (!hasFailed && running < atOnce) {
      const item = queue.pop();
      if (item === undefined) break;
      void run(item);
    }
    if (running === 0) resolve();
  }
  fill();
  return promise;
}
