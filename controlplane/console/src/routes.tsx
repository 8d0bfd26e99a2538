import { lazy } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Approvals } from "./pages/approvals/inbox";
import { ApprovalPage } from "./pages/approvals/one";
import { Empty, Page } from "./ui/parts";

const Audit = lazy(() => import("./pages/audit").then((m) => ({ default: m.Audit })));
const Edges = lazy(() => import("./pages/edges").then((m) => ({ default: m.Edges })));
const GrantPage = lazy(() => import("./pages/grants/one").then((m) => ({ default: m.GrantPage })));
const Grants = lazy(() => import("./pages/grants").then((m) => ({ default: m.Grants })));
const Locks = lazy(() => import("./pages/locks").then((m) => ({ default: m.Locks })));
const Notifications = lazy(() => import("./pages/notifications").then((m) => ({ default: m.Notifications })));
const Policy = lazy(() => import("./pages/policy").then((m) => ({ default: m.Policy })));
const Principals = lazy(() => import("./pages/principals").then((m) => ({ default: m.Principals })));
const Requests = lazy(() => import("./pages/requests").then((m) => ({ default: m.Requests })));
const ResourcePage = lazy(() => import("./pages/resources/one").then((m) => ({ default: m.ResourcePage })));
const Resources = lazy(() => import("./pages/resources").then((m) => ({ default: m.Resources })));
const SessionPage = lazy(() => import("./pages/session").then((m) => ({ default: m.SessionPage })));
const Sessions = lazy(() => import("./pages/sessions").then((m) => ({ default: m.Sessions })));

/** Routes are the addresses of the console. All but the inbox are loaded when they are first opened. */
export function Routes() {
  return (
    <Switch>
      <Route path="/"><Redirect to="/approvals" replace /></Route>
      <Route path="/approvals"><Approvals /></Route>
      <Route path="/approvals/:id">{({ id }) => <ApprovalPage key={id} id={id} />}</Route>
      <Route path="/requests"><Requests /></Route>
      <Route path="/grants"><Grants /></Route>
      <Route path="/grants/:id">{({ id }) => <GrantPage key={id} id={id} />}</Route>
      <Route path="/sessions"><Sessions /></Route>
      <Route path="/sessions/:id">{({ id }) => <SessionPage key={id} id={id} />}</Route>
      <Route path="/principals"><Principals /></Route>
      <Route path="/resources"><Resources /></Route>
      <Route path="/resources/:name">{({ name }) => <ResourcePage key={name} name={name} />}</Route>
      <Route path="/edges"><Edges /></Route>
      <Route path="/policy"><Policy /></Route>
      <Route path="/policy/diff"><Policy /></Route>
      <Route path="/policy/history"><Policy /></Route>
      <Route path="/audit"><Audit /></Route>
      <Route path="/locks"><Locks /></Route>
      <Route path="/notifications"><Notifications /></Route>
      <Route>
        <Page title="No such page"><Empty icon="audit" title="There is nothing at this address">Choose a page from the menu.</Empty></Page>
      </Route>
    </Switch>
  );
}
