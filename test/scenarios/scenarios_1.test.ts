/** A third of the scenarios that CI runs. */
import t from 'tap';
import { scenarioTests } from './run.js';

scenarioTests(t, 100, 4);
