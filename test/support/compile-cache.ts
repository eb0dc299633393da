// Most of what a command takes in a test is compiling the sources. What Node has compiled once it keeps here, for all tests;
// it knows by their content whether they are still the same.
import { join } from "node:path";

/** To be added to the environment of our own program. */
export const compileCache = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, "../../node_modules/.cache/compiled"),
} as const;
