import { useState } from "react";
import { Button } from "./parts";

type Theme = "system" | "light" | "dark";

const order: Theme[] = ["system", "light", "dark"];
const names: Record<Theme, string> = { system: "System theme", light: "Light theme", dark: "Dark theme" };

/** ThemeSwitch goes through the themes; the choice is kept in this browser (public/theme.js reads it). */
export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(current);
  const next = order[(order.indexOf(theme) + 1) % order.length]!;
  const change = () => {
    apply(next);
    setTheme(next);
  };
  return (
    <Button look="quiet" icon={theme} onClick={change} title={`${names[theme]}; change to ${names[next].toLowerCase()}`}>
      {names[theme]}
    </Button>
  );
}

function current(): Theme {
  const set = document.documentElement.dataset.theme;
  return set === "light" || set === "dark" ? set : "system";
}

function apply(theme: Theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("writ-theme", theme);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}
