import * as v from "valibot";
import { ForgeError } from "./forge-error.ts";
import type { Call, Http } from "./http.ts";

const maxPages = 400;

/** How many to ask for at a time, and the name of that parameter. The forge may give fewer at a time. */
export interface PageSize {
  readonly parameter: "limit" | "per_page";
  readonly items: number;
}

export interface PagedList<Schema extends v.GenericSchema> {
  readonly path: Call["path"];
  readonly query?: Call["query"];
  readonly item: Schema;
  readonly pageSize: PageSize;
}

/**
 * A whole list. Pages are counted: the forge's `Link` headers point to the URL that it believes to have. A page that is
 * shorter than asked for need not be the last, so it ends with an empty page, or when `X-Total-Count` is reached.
 *
 * @throws ForgeError also when the list has no end.
 */
export async function allPages<Schema extends v.GenericSchema>(
  http: Http,
  { path, query, item, pageSize }: PagedList<Schema>,
  signal: AbortSignal,
): Promise<readonly v.InferOutput<Schema>[]> {
  const items: v.InferOutput<Schema>[] = [];
  for (let page = 1; page <= maxPages; page++) {
    const { value, totalCount } = await http.call(
      {
        method: "GET",
        path,
        query: { ...query, [pageSize.parameter]: pageSize.items, page },
        answer: v.array(item),
      },
      signal,
    );
    items.push(...value);
    if (value.length === 0 || (totalCount !== undefined && items.length >= totalCount)) return items;
  }
  throw new ForgeError("unavailable", `the list ${path.join("/")} has more than ${maxPages} pages`, {
    code: "FORGE_BAD_ANSWER",
    hint: "check that the forge, or a proxy before it, does not ignore the query",
  });
}
