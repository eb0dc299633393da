import { join } from "node:path";

/** The folder of the program: `src` of a checkout, or `dist` of a package, where all modules are in one folder of it. */
export const programDirectory = join(import.meta.dirname, "..");
