// Whether clients live in an account of their own on this server, as far as a key can see. The server tells nobody
// its accounts, so this looks at what the key may do: the printed permissions say which layout they belong to.
import { HomelabError } from "../../base/errors.ts";
import { nobodysSubject, type Connection } from "../connect/connection.ts";
import { permissionsMarker } from "./permissions.ts";
import { maySubscribe } from "./probe-permissions.ts";

/**
 * - `separate`: as `nats config` prints it
 * - `shared`: permissions of an earlier release, in which a key that may only read can forge verdicts
 * - `open`: this key may do everything; so may everybody, on a server without users
 */
export type AccountLayout = "separate" | "shared" | "open";

/** Every role may do this. @throws the library's errors when the server is away. */
export async function inspectAccounts({ nats }: Connection): Promise<AccountLayout> {
  if (!(await maySubscribe(nats, permissionsMarker))) return "shared";
  return (await maySubscribe(nats, nobodysSubject)) ? "open" : "separate";
}

/** What to say about a server with a single account. */
export const sharedAccountError = (): HomelabError =>
  new HomelabError(
    "refused",
    "on this NATS server clients share the builders' account, in which a key that may only read can forge verdicts",
    {
      code: "NATS_SHARED_ACCOUNT",
      hint: "print its configuration again with `homelab-deploy nats config` and restart it; no stream is lost: docs/start/migration.md",
    },
  );
