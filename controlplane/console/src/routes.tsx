import { lazy } from "react";
import { Redirect, Route, Switch } from "wouter";
import { ApprovalPage } from "./pages/approvals/one";
import { Approvals } from "./pages/approvals/inbox";
import { Empty, Page } from "./ui/parts";

const Requests = lazy(() => import("./pages/requests").then((m) => ({ default: m.Requests })));

/** Routes are the addresses of the console. All but the inbox are loaded when they are first opened. */
export function Routes() {
  return (
    <Switch>
      <Route path="/"><Redirect to="/approvals" replace /></Route>
      <Route path="/approvals"><Approvals /></Route>
      <Route path="/approvals/:id">{({ id }) => <ApprovalPage key={id} id={id} />}</Route>
      <Route path="/requests"><Requests /></Route>
      <Route>
        <Page title="No such page"><Empty icon="audit" title="There is nothing at this address">Choose a page from the menu.</Empty></Page>
      </Route>
    </Switch>
  );
}
