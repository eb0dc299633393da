import type { CommitMemory } from "../../nix/evaluator.ts";
import type { HostName } from "../../protocol/names.ts";

/** A memory for a request that wants everything evaluated again: it knows what it is told from now on, and passes it on. */
export function freshMemory(memory: CommitMemory): CommitMemory {
  const known = new Set<HostName>();
  let isListed = false;
  return {
    inventory: () => (isListed ? memory.inventory() : undefined),
    rememberInventory(names) {
      isListed = true;
      memory.rememberInventory(names);
    },
    get: (host) => (known.has(host) ? memory.get(host) : undefined),
    remember(host, result) {
      known.add(host);
      memory.remember(host, result);
    },
    forget(host) {
      known.delete(host);
      memory.forget(host);
    },
  };
}
