// What a derivation's environment says about where it can be built and what it downloads.
import * as v from "valibot";
import { decodeJson } from "../../base/json.ts";
import type { Derivation } from "../store.ts";

const Texts = v.fallback(v.union([v.array(v.string()), v.string()]), []);
/** The structured attributes of a derivation. */
const Attributes = v.object({
  requiredSystemFeatures: v.optional(Texts, []),
  url: v.optional(Texts, []),
  urls: v.optional(Texts, []),
});

const maxUrls = 10;
const maxUrlLength = 500;

/** @param isFixed its output's hash is known beforehand */
export function requirementsOf(
  environment: ReadonlyMap<string, string>,
  isFixed: boolean,
): Pick<Derivation, "requiredFeatures" | "fetches"> {
  const structured = environment.get("__json");
  const attributes = structured === undefined ? undefined : decodeJson(Attributes, structured);
  const texts = (name: keyof v.InferOutput<typeof Attributes>): readonly string[] => {
    const value = attributes?.[name] ?? environment.get(name) ?? "";
    return typeof value === "string" ? value.split(/\s+/).filter((word) => word !== "") : value;
  };
  const features = texts("requiredSystemFeatures");
  return {
    ...(features.length === 0 ? {} : { requiredFeatures: features }),
    ...(isFixed ? { fetches: [...texts("url"), ...texts("urls")].slice(0, maxUrls).map(bounded) } : {}),
  };
}

const bounded = (url: string): string => url.slice(0, maxUrlLength);
