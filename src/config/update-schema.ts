// The `update` command; what differs by repo is with the repo.
import * as v from "valibot";
import { updateOutcomes } from "../protocol/update-events.ts";
import { absolutePath, described, secretFile } from "./setting-types.ts";

export const UpdateSettings = v.strictObject({
  stateDirectory: described(
    v.optional(absolutePath),
    "Directory for journals, reports and mirrors of updates (default: `$STATE_DIRECTORY` of the service, or a directory of the user).",
  ),
  signingKeyFile: described(
    v.optional(secretFile),
    "File with the private OpenSSH key, without a passphrase, that signs the commits of updates. Its public half belongs into `allowedSigners` of the deployer. Use an Ed25519 key: its signature of a commit is always the same, so a repeated run finds the commit that it made before.",
  ),
  webhookFile: described(
    v.optional(secretFile),
    "File with a webhook URL. It receives the result of each update as JSON that Slack-compatible receivers and ntfy understand.",
  ),
  webhookOutcomes: described(
    v.optional(v.array(v.picklist(updateOutcomes)), ["landed", "proposed", "failed"]),
    "Outcomes that are sent to the webhook. All of them are published on NATS.",
  ),
});
export type UpdateSettings = v.InferOutput<typeof UpdateSettings>;
