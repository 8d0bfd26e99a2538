import { useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { useClients } from "./api/clients";
import { isSignedOut } from "./api/problem";
import type { Principal } from "./gen/access/v1/common_pb";
import { SignIn } from "./pages/signin";
import { Shell } from "./shell";
import { Trouble } from "./ui/trouble";

/** Me is who is signed in, and what the control plane lets it do. What is hidden here is refused there too. */
export interface Me {
  principal: Principal;
  roles: string[];
  /** admin changes everything; auditor, and so admin, sees everything. */
  admin: boolean;
  auditor: boolean;
}

export const signedInKey = ["me"];

const MeContext = createContext<Me | null>(null);

export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error("nobody is signed in above this component");
  return me;
}

/** SignedIn shows the console to who is signed in, and the sign-in page to everybody else. */
export function SignedIn() {
  const { identity } = useClients();
  const me = useQuery({
    queryKey: signedInKey,
    staleTime: 60_000,
    queryFn: async (): Promise<Me | null> => {
      try {
        const { principal, roles } = await identity.whoAmI({});
        const admin = roles.includes("admin");
        return { principal: principal!, roles, admin, auditor: admin || roles.includes("auditor") };
      } catch (error) {
        if (isSignedOut(error)) return null;
        throw error;
      }
    },
  });
  if (me.error && !me.data) return <main className="alone"><Trouble error={me.error} retry={() => void me.refetch()} /></main>;
  if (me.data === undefined) return null;
  if (me.data === null) return <SignIn onSignedIn={() => void me.refetch()} />;
  return <MeContext value={me.data}><Shell /></MeContext>;
}
