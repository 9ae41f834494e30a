// Everything works without this file; it adds comfort.
import { enhanceCopying } from './copy.js';
import { enhanceForms } from './forms.js';
import { showLocalTimes } from './times.js';

enhanceCopying(document);
enhanceForms(document);
showLocalTimes(document);
