import type { Draft } from "../../draft";
import { paths } from "../../text/bundle";
import { count } from "../../text/count";
import type { Spot } from "../../text/diagnostics";
import { Said } from "../../ui/said";
import { Icon } from "../../ui/icons";

interface Props {
  draft: Draft;
  path?: string;
  spots: readonly Spot[];
  onChoose: (path: string) => void;
  onRemove?: (path: string) => void;
}

/** FileList names the files of the bundle, which of them are changed, and where problems are. */
export function FileList({ draft, path, spots, onChoose, onRemove }: Props) {
  return (
    <ul className="files" aria-label="Files of the bundle">
      {paths(draft.files).map((name) => {
        const problems = spots.filter((spot) => spot.file === name).length;
        return (
          <li key={name} data-chosen={name === path || undefined}>
            <button type="button" className="file" aria-current={name === path || undefined} onClick={() => onChoose(name)}>
              <Said text={name} />
              {draft.before[name] !== draft.files[name] && <span className="file-changed" title="Changed"><span className="hidden">, changed</span></span>}
              {problems > 0 && <span className="count" data-bad="" title={count(problems, "problem")}>{problems}<span className="hidden"> {problems === 1 ? "problem" : "problems"}</span></span>}
            </button>
            {onRemove && name === path && (
              <button type="button" className="button" data-look="quiet" title={`Remove ${name} from the draft`} onClick={() => onRemove(name)}>
                <Icon name="close" /><span className="hidden">Remove {name} from the draft</span>
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
