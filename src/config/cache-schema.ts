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
    "Where hosts fetch from, such as `http://cache01.lan:5000`: what is proven is what is served there.",
  ),
  publicKeys: described(
    v.optional(v.pipe(v.array(PublicKey), v.maxLength(16)), []),
    "Keys, as in `trusted-public-keys` of nix.conf, by one of which everything must be signed.",
  ),
  secretKeyFile: described(
    v.optional(secretFile),
    "File with the secret key that `cache verify --repair` signs with. Not needed where the cache signs by itself.",
  ),
  storeUrl: described(
    v.optional(
      v.pipe(v.string(), v.maxLength(1024), v.regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s@]+$/, "must be a URL")),
    ),
    "The store behind the cache as Nix writes it, such as `file:///srv/cache`, where `cache verify --repair` copies what is missing. Not needed where the cache serves the builder's own store.",
  ),
  caFile: described(
    v.optional(absolutePath),
    "Certificate authority of an https:// cache, PEM. Without it those of the system and of Node, of `NIX_SSL_CERT_FILE` or `SSL_CERT_FILE`, and of Nix's `ssl-cert-file`.",
  ),
  netrcFile: described(
    v.optional(secretFile),
    "File with names and passwords by server, as curl reads it, for a cache that wants them. Without it, Nix's `netrc-file`, where it can be read.",
  ),
  verifyBuilds: described(
    v.optional(v.boolean(), false),
    "Whether the builder proves after each build that the cache serves each host, signed and whole. A host that is not served is an infrastructure fault, not a success.",
  ),
  recheckHours: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(24 * 365)), 24),
    "With `verifyBuilds`, what was proven after a build is believed for so long, and not asked for again. 0: never. Commands ask for everything.",
  ),
  connections: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256)), 32),
    "Connections to the cache at a time.",
  ),
  timeoutSeconds: described(v.optional(seconds(1, 600), 10), "For each answer of the cache."),
  attempts: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 4),
    "How often the cache is asked when it gives no answer, or only an error.",
  ),
});
export type CacheSettings = v.InferOutput<typeof CacheSettings>;
