import { findOrCreate } from "../ensure/find-or-create.ts";
import type { Forge, LabelSpecification } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import { pageSize } from "./page-size.ts";
import type { RepositoryContext } from "../http/repository-access.ts";
import { LabelAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";
import { labelMissingError, labelStuckError } from "../ensure/label-errors.ts";
import { allPages } from "../http/pages.ts";

type Labels = Pick<Forge, "ensureLabels" | "addLabels" | "removeLabels">;

export function githubLabels({ http, repo }: RepositoryContext): Labels {
  const known = async (signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const labels = await allPages(http, { path: [...repo, "labels"], item: LabelAnswer, pageSize }, signal);
    return new Set(labels.map(({ name }) => keyOf(name)));
  };
  const labelsOn = async (number: number, signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const path = [...repo, "issues", number, "labels"];
    return new Set(
      (await allPages(http, { path, item: LabelAnswer, pageSize }, signal)).map(({ name }) => keyOf(name)),
    );
  };
  const ensureLabel = async (
    { name, colour, description }: LabelSpecification,
    signal: AbortSignal,
  ): Promise<void> => {
    const json = { name, color: colour.replace("#", ""), description };
    await findOrCreate(
      http,
      {
        find: async () => ((await known(signal)).has(keyOf(name)) ? true : undefined),
        async create() {
          await http.call({ method: "POST", path: [...repo, "labels"], json, answer: LabelAnswer }, signal);
          return true;
        },
        duplicateStatuses: [422],
      },
      signal,
    );
  };
  return {
    async ensureLabels(labels, signal) {
      for (const specification of labels) await ensureLabel(specification, signal);
    },
    async addLabels(number, names, signal) {
      const all = await known(signal);
      const unknown = names.find((name) => !all.has(keyOf(name)));
      if (unknown !== undefined) throw labelMissingError(unknown);
      const path = [...repo, "issues", number, "labels"];
      await findOrCreate(
        http,
        {
          async find() {
            const on = await labelsOn(number, signal);
            return names.every((name) => on.has(keyOf(name))) ? true : undefined;
          },
          async create() {
            await http.call({ method: "POST", path, json: { labels: names }, answer: anything }, signal);
            return true;
          },
          duplicateStatuses: [],
        },
        signal,
      );
      const on = await labelsOn(number, signal);
      const stuck = names.find((name) => !on.has(keyOf(name)));
      if (stuck !== undefined) throw labelStuckError(stuck, "on", number);
    },
    async removeLabels(number, names, signal) {
      const on = await labelsOn(number, signal);
      for (const name of names.filter((each) => on.has(keyOf(each)))) {
        const path = [...repo, "issues", number, "labels", name];
        try {
          await http.call({ method: "DELETE", path, answer: anything }, signal);
        } catch (error) {
          if (!hasStatus(error, 404)) throw error;
        }
      }
      const left = await labelsOn(number, signal);
      const stuck = names.find((name) => left.has(keyOf(name)));
      if (stuck !== undefined) throw labelStuckError(stuck, "off", number);
    },
  };
}

/** Names of labels differ by more than case. */
const keyOf = (name: string): string => name.toLowerCase();
