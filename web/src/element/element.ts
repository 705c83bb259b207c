// `<script type="module" src="lapwing/element.js">` defines <lapwing-pc> and <lapwing-trace>.
import { LapwingPc } from "./lapwing_pc";
import { LapwingTrace } from "./lapwing_trace";

if (!customElements.get("lapwing-pc")) customElements.define("lapwing-pc", LapwingPc);
if (!customElements.get("lapwing-trace")) customElements.define("lapwing-trace", LapwingTrace);

export { LapwingPc, LapwingTrace };
