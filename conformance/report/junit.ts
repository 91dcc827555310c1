import type { Report, Result } from '../runner.js'
import { curlOf } from './curl.js'
import { byChapter, count } from './summary.js'

/** JUnit XML as CI systems read it: a chapter is a suite, a requirement a case. */
export function junitReport(report: Report): string {
  const suites = byChapter(report).map(([name, results]) => suite(name, results))
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${escape(report.target.name)}">\n${suites.join('')}</testsuites>\n`
}

function suite(name: string, results: readonly Result[]): string {
  const counts = count(results)
  const skipped = counts.skipped + counts['not applicable']
  const attributes = `name="${escape(name)}" tests="${results.length}" failures="${counts.fail}" skipped="${skipped}"`
  return `  <testsuite ${attributes}>\n${results.map(testcase).join('')}  </testsuite>\n`
}

function testcase(result: Result): string {
  const { chapter, title, milliseconds } = result
  const attributes = `classname="${escape(chapter)}" name="${escape(title)}" time="${milliseconds / 1000}"`
  const inner = outcome(result)
  return inner === ''
    ? `    <testcase ${attributes}/>\n`
    : `    <testcase ${attributes}>\n${inner}    </testcase>\n`
}

function outcome({ outcome, message, clause, exchanges }: Result): string {
  const text = escape(message ?? '')
  switch (outcome) {
    case 'pass':
      return ''
    case 'fail':
      return `      <failure message="${text}" type="${escape(clause)}">${escape(exchanges.map(curlOf).join('\n'))}</failure>\n`
    case 'warning':
      return `      <system-out>${escape(`${clause}: `)}${text}</system-out>\n`
    case 'skipped':
    case 'not applicable':
      return `      <skipped message="${escape(outcome)}: ${text}"/>\n`
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

function escape(text: string): string {
  return (
    text
      .replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? '')
      // XML has no place for most control characters.
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd')
  )
}
