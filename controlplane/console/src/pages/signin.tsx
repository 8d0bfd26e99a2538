import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useClients } from "../api/clients";
import { browserSignIn, signInAsAdmin } from "../api/signin";
import type { OpenIDProvider } from "../gen/access/v1/identity_pb";
import { Field } from "../ui/field";
import { Button, Loading } from "../ui/parts";
import { Trouble } from "../ui/trouble";

/** SignIn lists the ways in: the identity providers that sign people in here, and the token of the first start. */
export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const { identity } = useClients();
  const methods = useQuery({ queryKey: ["sign-in methods"], queryFn: () => identity.listSignInMethods({}) });
  const providers = (methods.data?.methods ?? [])
    .flatMap(({ method }) => (method.case === "openid" ? [method.value] : []))
    .filter((provider) => provider.browserPath.startsWith("/"));
  return (
    <main className="alone">
      <div className="sign-in">
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1>Sign in to Writ</h1>
        {methods.isPending && <Loading rows={1} />}
        {methods.error && <Trouble error={methods.error} retry={() => void methods.refetch()} />}
        {providers.map((provider) => <Provider key={provider.browserPath} of={provider} />)}
        {methods.data && providers.length === 0 && (
          <p className="soft">No identity provider signs people in here yet. An administrator adds one in the settings of the control plane.</p>
        )}
        <AdminToken open={methods.data !== undefined && providers.length === 0} onSignedIn={onSignedIn} />
      </div>
    </main>
  );
}

function Provider({ of }: { of: OpenIDProvider }) {
  return <a className="button" data-look="primary" href={browserSignIn(of.browserPath)}>Continue with <bdi>{of.name || of.issuer}</bdi></a>;
}

function AdminToken({ open, onSignedIn }: { open: boolean; onSignedIn: () => void }) {
  const [token, setToken] = useState("");
  const signIn = useMutation({ mutationFn: () => signInAsAdmin(token.trim()), onSuccess: onSignedIn });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <details open={open || undefined}>
      <summary>Use the admin token</summary>
      <form onSubmit={submit}>
        <Field
          label="Admin token" type="password" autoComplete="off" spellCheck={false} required value={token}
          onChange={(e) => setToken(e.target.value)} hint="The control plane printed it at its first start. It works once."
        />
        {signIn.error && <Trouble error={signIn.error} />}
        <Button type="submit" busy={signIn.isPending}>Sign in</Button>
      </form>
    </details>
  );
}
