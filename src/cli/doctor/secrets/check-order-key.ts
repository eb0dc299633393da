// The key that this person signs orders with, where there is one.
import { access } from "node:fs/promises";
import type { Environment } from "../../../base/environment.ts";
import { loadSigner } from "../../../signing/signing-key-file.ts";
import { orderKeyFile } from "../../deploy/order-key.ts";
import { findingOf, ok, type Finding } from "../finding.ts";

/** Nothing where none is: who only builds needs none. */
export async function checkOrderKey(environment: Environment): Promise<readonly Finding[]> {
  const file = orderKeyFile(undefined, environment);
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) return [];
  try {
    const { key } = await loadSigner(file);
    return [ok("order key", `hosts that list ${key} in trustedKeys obey what is signed here`)];
  } catch (error) {
    return [findingOf("order key", error)];
  }
}
