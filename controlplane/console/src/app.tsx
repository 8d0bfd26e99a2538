import type { Transport } from "@connectrpc/connect";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { clients, ClientsContext } from "./api/clients";
import { isPassing, isSignedOut } from "./api/problem";
import { SignedIn, signedInKey } from "./signedin";
import { Toasts } from "./ui/toast";
import "./styles/index.css";

/** start draws the console into an element and calls the control plane over the transport. */
export function start(root: HTMLElement, transport: Transport) {
  createRoot(root).render(
    <StrictMode>
      <ClientsContext value={clients(transport)}>
        <QueryClientProvider client={queries()}>
          <Toasts>
            <SignedIn />
          </Toasts>
        </QueryClientProvider>
      </ClientsContext>
    </StrictMode>,
  );
}

/** queries keeps what was asked for a moment. Any call that fails for want of a login leads to the sign-in page. */
function queries(): QueryClient {
  const onError = (error: unknown) => {
    if (isSignedOut(error)) client.setQueryData(signedInKey, null);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: { staleTime: 2_000, retry: (times, error) => times < 2 && isPassing(error) },
      mutations: { retry: false },
    },
  });
  return client;
}
