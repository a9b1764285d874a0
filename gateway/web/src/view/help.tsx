// Where to find help in an emergency; what it says is the operator's choice.
import { countryName, emergencyLine, sortLinks, type HelpLink, type Settings } from "../settings.ts";
import { texts } from "../texts.ts";

export function Help({ settings, id = "help" }: { settings: Settings; id?: string }) {
  const { near, far } = sortLinks(settings.helpLinks, navigator.languages);
  return (
    <section class="help" aria-labelledby={id}>
      <h2 id={id}>{texts.help.title}</h2>
      <p>{emergencyLine(settings, texts.help.line)}</p>
      {near.length > 0 && (
        <>
          <p>{texts.help.hint}</p>
          <Links links={near} />
        </>
      )}
      {far.length > 0 && (
        <details>
          <summary>{texts.help.elsewhere}</summary>
          <Links links={far} />
        </details>
      )}
    </section>
  );
}

function Links({ links }: { links: readonly HelpLink[] }) {
  return (
    <ul>
      {links.map(({ country, label, url }) => (
        <li key={url + country}>
          <a href={url} target="_blank" rel="noopener noreferrer">
            {label}
          </a>
          {country && <span class="country"> {countryName(country)}</span>}
        </li>
      ))}
    </ul>
  );
}
