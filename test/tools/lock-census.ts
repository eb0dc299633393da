// `node test/tools/lock-census.ts REPO.git`: what our code makes of every version of a flake.lock that a repository has
// had. For any repository, also one that we have never seen: what it lists is a bug, or has a reason that it names.
import { parseArgs } from "node:util";
import { printCensus, takeCensus } from "./census.ts";
import { openLockHistory } from "./lock-history.ts";

const usage = `usage: node test/tools/lock-census.ts [options] REPO.git

Goes through all versions of flake.lock on the default branch of a bare repository, oldest first, and prints how many
parse, how many print back byte for byte, how many updates our diff explains, and how many a graft of the changed
inputs reproduces byte for byte. The others are listed by kind, with commits to look at.

options:
  --path PATH       of the lock in the repository (default: flake.lock)
  --branch NAME     the branch to go through (default: what HEAD points to)
  --examples COUNT  commits to name for each kind (default: 3)
  --help            print this

exit codes: 0 the census was taken; 2 the arguments are wrong, or there is no such repository, branch or lock
`;

function fail(message: string): never {
  process.stderr.write(`error: ${message}\nhint: node test/tools/lock-census.ts --help\n`);
  process.exit(2);
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        path: { type: "string", default: "flake.lock" },
        branch: { type: "string", default: "HEAD" },
        examples: { type: "string", default: "3" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { values, positionals } = parsed();
if (values.help) {
  process.stdout.write(usage);
} else {
  const [repository, more] = positionals;
  if (repository === undefined || more !== undefined) fail("name one repository");
  const examples = Number(values.examples);
  if (!Number.isSafeInteger(examples) || examples < 0) fail("--examples must be a whole number");
  try {
    await using history = await openLockHistory(repository, values);
    if (history.changes.length === 0) fail(`${repository} never had a ${values.path}`);
    process.stdout.write(printCensus(await takeCensus(history), examples));
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}
