import { parseFlakeLock } from "../nix/lock/flake-lock.ts";
import { registryInputs, type RegistryInput } from "../nix/lock/registry-inputs.ts";
import type { Journal } from "./journal.ts";

/** Inputs that are whatever a registry said when this run asked upstream; none where it has not. */
export function registryInputsOf(journal: Pick<Journal, "last">): readonly RegistryInput[] {
  const resolved = journal.last("resolved");
  return resolved === undefined ? [] : registryInputs(parseFlakeLock(resolved.fullLock));
}
