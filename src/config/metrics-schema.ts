import * as v from "valibot";
import { addressAndPort, described } from "./setting-types.ts";

export const MetricsSettings = v.strictObject({
  listen: described(
    v.optional(addressAndPort),
    "Address on which the builder serves `/metrics`, such as `127.0.0.1:9480` (default: none).",
  ),
  pushgateway: described(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(
          /^https?:\/\/[^\s@?#]+$/,
          "must be an http:// or https:// URL without a user, a password or a query: the builder cannot sign in to a pushgateway",
        ),
      ),
    ),
    "URL of a Prometheus pushgateway, to which metrics are pushed after each build.",
  ),
});
export type MetricsSettings = v.InferOutput<typeof MetricsSettings>;
