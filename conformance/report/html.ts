import type { Exchange } from '../exchange.js'
import type { Report, Result } from '../runner.js'
import { curlOf } from './curl.js'
import { byChapter, count, inWords, OUTCOMES, skippedBecause } from './summary.js'

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --bad: #b3261e; --warn: #8a5300; --good: #1b6e3c }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffcc80; --good: #81c995 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem }
caption { text-align: left; font-weight: 600; padding: .5rem 0 }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.pass { color: var(--good) } .fail { color: var(--bad); font-weight: 600 } .warning { color: var(--warn) }
.skipped, .not-applicable { opacity: .75 }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .3rem; white-space: pre-wrap; word-break: break-word }
table.requirements { table-layout: fixed }
table.requirements th:nth-child(1) { width: 44% } table.requirements th:nth-child(2) { width: 30% }
details { margin: .5rem 0 } summary { cursor: pointer }
.verdict { font-size: 1.25rem; border-left: .4rem solid; padding-left: .8rem }
a:focus-visible, summary:focus-visible, pre:focus-visible { outline: 3px solid; outline-offset: 2px }
@media print { details { display: block } }
`

/** One page without scripts or anything from elsewhere: to be kept, printed and handed on. */
export function htmlReport(report: Report): string {
  const { target, server, results, started, used } = report
  const counts = count(results)
  const title = `Conformance of ${target.name}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p class="verdict ${counts.fail > 0 ? 'fail' : counts.warning > 0 ? 'warning' : 'pass'}">${verdict(report)}</p>
<table>
<caption>What was tested</caption>
<tbody>
${factRow('Service', `${server.name}, CSC API ${server.specs}`)}
${factRow('Base URI', target.baseUrl)}
${factRow('Methods it claims', server.methods.join(', '))}
${factRow('Tested on', started.toISOString())}
${factRow('Used up', `${used.approvals} approvals, ${used.signatures} signatures`)}
${factRow('Results', inWords(counts))}
</tbody>
</table>
<h2>Summary by chapter</h2>
${summary(report)}
${failures(report)}
${untried(report)}
<h2>Every requirement</h2>
${byChapter(report).map(chapter).join('\n')}
<h2>How to read this</h2>
<p>Each requirement is one thing the clause beside it demands. <em>Failed</em>: a SHALL was not met. <em>Warning</em>: a SHOULD was not
met. <em>Skipped</em>: it could not be tried with what the tester was given. <em>Not applicable</em>: the service does not claim it.
Tokens, passwords, codes and other secrets are masked; the commands work once they are filled in.</p>
</main>
</body>
</html>
`
}

function verdict({ results }: Report): string {
  const { pass, fail, warning, skipped } = count(results)
  const untried = skipped > 0 ? ` ${skipped} could not be tried.` : ''
  const tried = pass + fail + warning
  if (fail > 0) return `${fail} of ${tried} requirements are not met.${untried}`
  if (warning > 0) {
    return `All that is required is met; ${warning} recommendations are not.${untried}`
  }
  return `All ${tried} requirements that were tried are met.${untried}`
}

/** What the verdict does not cover. */
function untried({ results }: Report): string {
  const rows = [...skippedBecause(results)].map(
    ([reason, number]) => `<tr><td>${escape(reason)}</td><td class="number">${number}</td></tr>`,
  )
  if (rows.length === 0) return ''
  return `<h2>What could not be tried</h2>
<table><caption>Number of requirements by reason</caption><thead><tr><th scope="col">Reason</th><th scope="col" class="number">Requirements</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`
}

function factRow(name: string, value: string): string {
  return `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`
}

function summary(report: Report): string {
  const head = OUTCOMES.map((each) => `<th scope="col" class="number">${each}</th>`).join('')
  const rows = byChapter(report).map(([name, results]) => {
    const counts = count(results)
    const cells = OUTCOMES.map(
      (each) =>
        `<td class="number${counts[each] > 0 ? ` ${classOf(each)}` : ''}">${counts[each]}</td>`,
    )
    return `<tr><th scope="row"><a href="#${anchor(name)}">${escape(name)}</a></th>${cells.join('')}</tr>`
  })
  return `<table><caption>Number of requirements by outcome</caption><thead><tr><th scope="col">Chapter</th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`
}

function failures({ results }: Report): string {
  const bad = (['fail', 'warning'] as const).flatMap((outcome) =>
    results.filter((result) => result.outcome === outcome),
  )
  if (bad.length === 0) return ''
  return `<h2>What is not met</h2>\n${bad.map(failure).join('\n')}`
}

function failure(result: Result): string {
  const { chapter, title, clause, level, message, outcome, exchanges } = result
  const last = exchanges.at(-1)
  const earlier = exchanges.slice(0, -1)
  return `<section>
<h3><span class="${classOf(outcome)}">${outcome === 'fail' ? 'Failed' : 'Warning'}</span>: ${escape(chapter)} – ${escape(title)}</h3>
<p>${level}, ${escape(clause)}. ${escape(message ?? '')}</p>
${last ? exchange(last) : ''}
${earlier.length > 0 ? `<details><summary>${earlier.length} exchanges before that</summary>${earlier.map(exchange).join('\n')}</details>` : ''}
</section>`
}

function exchange(each: Exchange): string {
  const request = [`${each.method} ${each.url}`, ...fields(each.headers), '', each.body ?? '']
  const answer = [String(each.status), ...fields(each.answerHeaders), '', each.answerBody]
  return `${block('Request', request.join('\n'))}
${block('Answer', answer.join('\n').slice(0, 4000))}
${block('To repeat it', curlOf(each))}`
}

function block(name: string, text: string): string {
  return `<h4>${name}</h4><pre tabindex="0" role="region" aria-label="${name}">${escape(text.trim())}</pre>`
}

function fields(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
}

function chapter([name, results]: [string, readonly Result[]]): string {
  const rows = results.map(
    ({ title, clause, level, outcome, message }) =>
      `<tr><td>${escape(title)}</td><td>${level}, ${escape(clause)}</td><td class="${classOf(outcome)}">${outcome}${message === null ? '' : `: ${escape(message)}`}</td></tr>`,
  )
  return `<h3 id="${anchor(name)}">${escape(name)}</h3>
<table class="requirements"><thead><tr><th scope="col">Requirement</th><th scope="col">Clause</th><th scope="col">Outcome</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`
}

function anchor(name: string): string {
  return name.replace(/[^a-z0-9]+/gi, '-')
}

function classOf(outcome: string): string {
  return outcome.replace(' ', '-')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? '')
}
