// The connection to NATS, of everything that has one.
import * as v from "valibot";
import { absolutePath, described, secretFile } from "./setting-types.ts";

const NatsUrl = v.pipe(
  v.string(),
  v.regex(
    /^(?:nats|tls):\/\/[^\s/@]+$/,
    "must be nats://host:port or tls://host:port, without a user or password",
  ),
);

export const NatsSettings = v.strictObject({
  servers: described(
    v.optional(v.pipe(v.array(NatsUrl), v.minLength(1))),
    "Servers to try, such as `nats://nats.lan:4222`; `tls://` requires TLS. Default: `$NATS_URL`, then the selected context of the `nats` command, then `nats://127.0.0.1:4222`.",
  ),
  nkeyFile: described(v.optional(secretFile), "File with the NKey seed to sign in with."),
  credentialsFile: described(
    v.optional(secretFile),
    "File with NATS credentials (a JWT and its seed), instead of `nkeyFile`.",
  ),
  tls: described(
    v.optional(
      v.strictObject({
        caFile: described(v.optional(absolutePath), "Certificate authority of the servers, PEM."),
        certFile: described(v.optional(absolutePath), "Client certificate, PEM."),
        keyFile: described(v.optional(secretFile), "The key of `certFile`, PEM."),
      }),
    ),
    "TLS settings. `{}` requires TLS and trusts the system's certificate authorities.",
  ),
  inboxPrefix: described(
    v.optional(v.pipe(v.string(), v.regex(/^_INBOX_[A-Za-z0-9_-]{1,200}$/, "must be _INBOX_ and a name"))),
    "Prefix of reply subjects, as the server's permissions require it, such as `_INBOX_operator`.",
  ),
  jetstreamDomain: described(
    v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "must be letters, digits, _ and -, at most 64")),
    ),
    "JetStream domain of the server with the streams. Set it only if `servers` are leaf nodes, to the `domain` in the hub's `jetstream` block.",
  ),
  monitoringUrl: described(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(/^https?:\/\/[^\s@?#]+$/, "must be an http:// or https:// URL without a user"),
      ),
    ),
    "URL of the server's monitoring pages, where `doctor` checks that acknowledged messages are on disk (default: port 8222 of the server).",
  ),
});
export type NatsSettings = v.InferOutput<typeof NatsSettings>;
