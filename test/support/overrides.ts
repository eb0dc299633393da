import * as v from "valibot";
import { Override } from "../../src/protocol/overrides.ts";

/** An override that is as good as any other. */
export const someOverride = (more: Partial<Record<keyof Override, string>> = {}): Override =>
  v.parse(Override, { input: "servers", repo: "nixos-servers", commit: "b".repeat(40), ...more });
