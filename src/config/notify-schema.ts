// Who is notified: the same for the builder and the deployer.
import * as v from "valibot";
import { described, secretFile } from "./setting-types.ts";

export const NotifySettings = v.strictObject({
  webhookFile: described(
    v.optional(secretFile),
    "File with a URL that gets a POST with JSON, of which `text` is one line, as Slack-compatible receivers show it.",
  ),
  ntfyFile: described(
    v.optional(secretFile),
    "File with the URL of a topic on an ntfy server, such as `https://ntfy.lan/builds`.",
  ),
  ntfyTokenFile: described(v.optional(secretFile), "File with an access token for that topic."),
  script: described(
    v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(1024))), v.maxLength(32)), []),
    "A program and its arguments. It is run without a shell, as the user of the service; `HOMELAB_DEPLOY_TEXT` has the line and `HOMELAB_DEPLOY_EVENT` the JSON.",
  ),
});
export type NotifySettings = v.InferOutput<typeof NotifySettings>;
