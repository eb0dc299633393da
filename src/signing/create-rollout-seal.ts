// The seal of a deployer: a signature with its key, over an event and its place in the log. What is copied to another place,
// or to another log, is not sealed there.
import { base64Of, bytesOf } from "../protocol/deploy/order.ts";
import type { RolloutSeal } from "../protocol/rollout/rollout-seal.ts";
import { isSignedBy } from "./signatures.ts";
import type { Signer } from "./signing-key-file.ts";

/** An event names its rollout, so its log need not be part of what is signed. */
const placed = (data: Uint8Array, after: number): Uint8Array =>
  Buffer.concat([Buffer.from(`${after}\n`), data]);

export const createRolloutSeal = (signer: Signer): RolloutSeal => ({
  seal: (data, after) => base64Of(signer.sign("rollout-event", placed(data, after))),
  isSealed: (data, after, seal) =>
    /^[A-Za-z0-9+/]{86}==$/.test(seal) &&
    isSignedBy("rollout-event", placed(data, after), signer.key, bytesOf(seal)),
});
