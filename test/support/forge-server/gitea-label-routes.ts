import { pageOf, type ApiCall, type Reply, type Route, route, text } from "./api.ts";
import type { Label } from "./forge-state.ts";
import { type GiteaApi, mostItemsOfAPage } from "./gitea-api.ts";

export function giteaLabelRoutes(api: GiteaApi): Route[] {
  const { state, json, repository, refuse, writer } = api;
  const list = (labels: readonly Label[], { query }: ApiCall): Reply => ({
    status: 200,
    json: pageOf(labels, query, "limit", mostItemsOfAPage).items.map(json.label),
    // This list has no Link header.
    headers: { "x-total-count": String(labels.length) },
  });
  const onPull = `${repository}/issues/{index}/labels`;
  return [
    // The newest first: whoever takes the first one of a name takes the duplicate.
    route("GET", `${repository}/labels`, (call) =>
      list(state.labels.filter(({ shared }) => !shared).toReversed(), call),
    ),
    route("GET", `/orgs/{org}/labels`, (call) => {
      if (!state.ownerIsOrganization) throw refuse(404, "The target couldn't be found.");
      return list(
        state.labels.filter(({ shared }) => shared),
        call,
      );
    }),
    // Nothing keeps a name unique.
    route("POST", `${repository}/labels`, (call) => {
      writer(call);
      const [name, color, description] = ["name", "color", "description"].map((key) => text(call.json[key]));
      if (!/^#?[0-9a-f]{6}$/i.test(color ?? "")) throw refuse(422, "[Color]: invalid color");
      const label = {
        name: name ?? "",
        color: (color ?? "").replace("#", ""),
        description: description ?? "",
      };
      return { status: 201, json: json.label(state.addLabel(label)) };
    }),
    route("GET", onPull, (call) => ({ status: 200, json: api.pull(call).labels.map(json.label) })),
    route("POST", onPull, (call) => {
      writer(call);
      const pull = api.pull(call);
      const wanted: unknown[] = Array.isArray(call.json["labels"]) ? call.json["labels"] : [];
      if (new Set(wanted.map((each) => typeof each)).size > 1)
        throw refuse(400, "labels should be ids or names");
      // Unknown ids and names are ignored without a word.
      const added = state.labels.filter(({ id, name }) => wanted.includes(id) || wanted.includes(name));
      pull.labels = [...new Set([...pull.labels, ...added])];
      return { status: 200, json: pull.labels.map(json.label) };
    }),
    route("DELETE", `${onPull}/{id}`, (call) => {
      writer(call);
      const pull = api.pull(call);
      if (!state.labels.some(({ id }) => String(id) === call.values["id"]))
        throw refuse(422, "label does not exist");
      pull.labels = pull.labels.filter(({ id }) => String(id) !== call.values["id"]);
      return { status: 204 };
    }),
  ];
}
