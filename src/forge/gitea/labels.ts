import * as v from "valibot";
import { findOrCreate } from "../ensure/find-or-create.ts";
import type { Forge, LabelSpecification } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import { pageSize, type GiteaContext } from "./context.ts";
import { LabelAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";
import { labelMissingError, labelStuckError } from "../ensure/label-errors.ts";
import { allPages } from "../http/pages.ts";

type Labels = Pick<Forge, "ensureLabels" | "addLabels" | "removeLabels">;

/** Labels by their ids: names that do not exist are ignored by Gitea, and one name can have several labels. */
export function giteaLabels(context: GiteaContext): Labels {
  const { http, repo } = context;
  const labelsOf = (number: number) => [...repo, "issues", number, "labels"];
  const LabelList = v.array(LabelAnswer);
  return {
    async ensureLabels(labels, signal) {
      for (const specification of labels) await ensureLabel(context, specification, signal);
    },
    async addLabels(number, names, signal) {
      const path = labelsOf(number);
      const { value: present } = await http.call({ method: "GET", path, answer: LabelList }, signal);
      const missing = names.filter((name) => !present.some((label) => label.name === name));
      if (missing.length === 0) return;
      const known = await knownLabels(context, signal);
      const ids = missing.map((name) => {
        const label = known.find((each) => each.name === name);
        if (label === undefined) throw labelMissingError(name);
        return label.id;
      });
      // Adding what is there changes nothing, so a lost answer may be asked for again.
      const { value: labels } = await findOrCreate(
        http,
        {
          async find() {
            const { value } = await http.call({ method: "GET", path, answer: LabelList }, signal);
            return ids.every((id) => value.some((label) => label.id === id)) ? value : undefined;
          },
          create: async () =>
            (await http.call({ method: "POST", path, json: { labels: ids }, answer: LabelList }, signal))
              .value,
          duplicateStatuses: [],
        },
        signal,
      );
      for (const name of missing) {
        if (!labels.some((label) => label.name === name)) throw labelStuckError(name, "on", number);
      }
    },
    async removeLabels(number, names, signal) {
      const path = labelsOf(number);
      const read = async () => {
        const { value } = await http.call({ method: "GET", path, answer: LabelList }, signal);
        return value.filter(({ name }) => names.includes(name));
      };
      for (const { id } of await read()) {
        try {
          await http.call({ method: "DELETE", path: [...path, id], answer: anything }, signal);
        } catch (error) {
          // Gone meanwhile, perhaps by our own first attempt: the check below decides.
          if (!hasStatus(error, 404, 422)) throw error;
        }
      }
      const left = (await read())[0];
      if (left !== undefined) throw labelStuckError(left.name, "off", number);
    },
  };
}

/** Creating is not idempotent on Gitea: it makes a second label of the same name. */
async function ensureLabel(
  context: GiteaContext,
  specification: LabelSpecification,
  signal: AbortSignal,
): Promise<void> {
  const { http, repo } = context;
  await findOrCreate(
    http,
    {
      find: async () => (await knownLabels(context, signal)).find(({ name }) => name === specification.name),
      async create() {
        const { name, colour, description } = specification;
        const json = { name, color: colour, description };
        const call = { method: "POST", path: [...repo, "labels"], json, answer: LabelAnswer } as const;
        return (await http.call(call, signal)).value;
      },
      duplicateStatuses: [],
    },
    signal,
  );
}

/** The repository's labels and then its organization's, each the oldest first. */
async function knownLabels(
  { http, repo, owner }: GiteaContext,
  signal: AbortSignal,
): Promise<readonly LabelAnswer[]> {
  const list = async (path: readonly string[]): Promise<readonly LabelAnswer[]> => {
    const labels = await allPages(http, { path, item: LabelAnswer, pageSize }, signal);
    return labels.toSorted((a, b) => a.id - b.id);
  };
  const own = await list([...repo, "labels"]);
  try {
    return [...own, ...(await list(["orgs", owner, "labels"]))];
  } catch (error) {
    // The owner is a person, or the token may not read organizations: then labels of the repository serve as well.
    if (hasStatus(error, 403, 404)) return own;
    throw error;
  }
}
