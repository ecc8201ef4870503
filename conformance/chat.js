/** Renders the cases on standard input by Sluice: `node conformance/chat.js` prints the texts, null for those that are refused. */
import { readFileSync } from 'node:fs';
import { ChatTemplate } from '../dist/runs/chat/template.js';

const cases = JSON.parse(readFileSync(0, 'utf8'));
const texts = [];
for (const { template, messages, tokens, addGenerationPrompt } of cases) {
  const text = await new ChatTemplate(template, tokens).render(messages, { addGenerationPrompt }).catch((error) => {
    if (process.env.DEBUG) console.error(error.message);
    return null;
  });
  texts.push(text);
}
process.stdout.write(JSON.stringify(texts));
