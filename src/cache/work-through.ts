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
  async function run(item: Item): Promise<void> {
    running++;
    try {
      await act(item);
      running--;
      fill();
    } catch (error) {
      queue.length = 0;
      reject(error);
    }
  }
  function fill(): void {
    while (running < atOnce) {
      const item = queue.pop();
      if (item === undefined) break;
      void run(item);
    }
    if (running === 0) resolve();
  }
  fill();
  return promise;
}
