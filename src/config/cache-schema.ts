// The binary cache that hosts fetch from: the section `cache` of the configuration file.
import * as v from "valibot";
import { absolutePath, described, seconds, secretFile } from "./setting-types.ts";

export const CacheUrl = v.pipe(
  v.string(),
  v.maxLength(1024),
  v.regex(
    /^https?:\/\/[^\s@?#]+$/,
    "must be an http:// or https:// URL without a user, a query or a fragment",
  ),
);

/** `name:base64` of 32 bytes: a secret key is longer. */
const PublicKey = v.pipe(
  v.string(),
  v.regex(/^[^\s:]{1,255}:[A-Za-z0-9+/]{43}=$/, "must be a public key, such as cache.lan-1:AbC…="),
);

export const CacheSettings = v.strictObject({
  url: described(
    v.optional(CacheUrl),
    "The URL from which hosts fetch, such as `http://cache01.lan:5000`. This is what is verified.",
  ),
  publicKeys: described(
    v.optional(v.pipe(v.array(PublicKey), v.maxLength(16)), []),
    "Trusted public keys, as in `trusted-public-keys` of nix.conf. Each path must be signed with one of them.",
  ),
  secretKeyFile: described(
    v.optional(secretFile),
    "File with the secret key for `cache verify --repair`. Not needed if the cache signs by itself.",
  ),
  storeUrl: described(
    v.optional(
      v.pipe(v.string(), v.maxLength(1024), v.regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s@]+$/, "must be a URL")),
    ),
    "The cache's own store as a Nix store URL, such as `file:///srv/cache`; `cache verify --repair` copies missing paths there. Not needed if the cache serves the builder's store.",
  ),
  caFile: described(
    v.optional(absolutePath),
    "Certificate authority of an https:// cache, as PEM (default: those of the system, of Node, of `NIX_SSL_CERT_FILE` or `SSL_CERT_FILE`, and of Nix's `ssl-cert-file`).",
  ),
  netrcFile: described(
    v.optional(secretFile),
    "netrc file with names and passwords by server, for a cache that needs them (default: Nix's `netrc-file`, if it can be read).",
  ),
  verifyBuilds: described(
    v.optional(v.boolean(), false),
    "Whether the builder verifies after each build that the cache serves each host, complete and signed. A host that is not served counts as an infrastructure failure.",
  ),
  recheckHours: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(24 * 365)), 24),
    "With `verifyBuilds`, how long a verified path is not checked again after a build. 0: always check. Commands always check everything.",
  ),
  connections: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256)), 32),
    "Connections to the cache at a time.",
  ),
  timeoutSeconds: described(v.optional(seconds(1, 600), 10), "Time limit for each answer of the cache."),
  attempts: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 4),
    "Maximum number of attempts if the cache does not answer or returns an error.",
  ),
});
export type CacheSettings = v.InferOutput<typeof CacheSettings>;
