// `npm run campaign -- --seed S`: builds and updates under fire. `npm run campaign -- deploy --seed S`: deployments.
// `npm run campaign -- rollouts --seed S`: random histories of rollouts. `npm run campaign -- chaos --seed S`: rollouts over real
// hosts while everything around them breaks. `npm run campaign -- cluster`: builds while servers of a
// NATS cluster die. `npm run campaign -- dashboard`: the dashboard alone.
switch (process.argv[2]) {
  case "deploy":
    await import("./deploy/main.ts");
    break;
  case "rollouts":
    await import("./rollouts-main.ts");
    break;
  case "chaos":
    await import("./chaos/main.ts");
    break;
  case "cluster":
    await import("./cluster/main.ts");
    break;
  case "dashboard":
    await import("./dashboard-main.ts");
    break;
  case undefined:
  default:
    await import("./builds-main.ts");
}
