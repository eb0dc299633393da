import * as v from "valibot";
import type { Sha256 } from "../store-paths/sha256.ts";

/** A SHA-256 in the one form in which it is compared and signed. */
export const Sha256Text = v.pipe(
  v.string(),
  v.regex(/^sha256:[01][0-9a-df-np-sv-z]{51}$/),
  v.transform((text) => text as Sha256),
);
