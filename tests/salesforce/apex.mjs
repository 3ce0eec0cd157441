// Parses Apex classes as the platform's own compiler would, as far as grammar goes:
// `node apex.mjs FILE…` prints what is wrong and exits with 1.
import { readFileSync } from 'node:fs';
import { ApexErrorListener, ApexParserFactory } from '@apexdevtools/apex-parser';

class Mistakes extends ApexErrorListener {
  found = [];

  apexSyntaxError(line, column, message) {
    this.found.push(`${line}:${column} ${message}`);
  }
}

let isWrong = false;
for (const path of process.argv.slice(2)) {
  const mistakes = new Mistakes();
  const { parser } = ApexParserFactory.createLexerAndParser(readFileSync(path, 'utf8'), mistakes);
  parser.compilationUnit();
  for (const each of mistakes.found) console.error(`${path}:${each}`);
  isWrong ||= mistakes.found.length > 0;
}
process.exitCode = isWrong ? 1 : 0;
