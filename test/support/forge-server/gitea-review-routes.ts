import { pageOf, type Route, route } from "./api.ts";
import { type GiteaApi, mostItemsOfAPage } from "./gitea-api.ts";

/** Not in the part of Gitea's description that is at hand: routers/api/v1/repo/pull_review.go, ListPullReviews. */
export function giteaReviewRoutes(api: GiteaApi): Route[] {
  const { json, repository } = api;
  return [
    route("GET", `${repository}/pulls/{index}/reviews`, (call) => {
      const { reviews } = api.pull(call);
      const { items } = pageOf(reviews, call.query, "limit", mostItemsOfAPage);
      return {
        status: 200,
        json: items.map(({ author, state }) => ({ user: json.user(author), state, dismissed: false })),
        headers: { "x-total-count": String(reviews.length) },
      };
    }),
  ];
}
