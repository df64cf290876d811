"""Given names: which are short or other forms of one name, and which are names that one letter sets apart.

A curated table of what is common, since a large one joins people: a genealogist's list calls Aaron and Erin one name.
"""

from onewriter.rules.names import fold

_FORMS = """
alexander alex alec sandy xander sascha lex | alexandra alex alexa sandra sandy lexi sascha | abigail abby abbie gail |
albert al bert bertie | alfred al fred alfie fred | alice ali alicia | allison alison allie ali | amanda mandy | andrew
andy drew | andreas andy andi | andrea andy andi | angela angie | anthony tony ant | antonia toni | antonio toni tonio
| anneliese anne liese | arthur art artie | barbara barb babs barbie basia | benjamin ben benny benji | benedikt ben |
bernard bernie | bernhard bernd berni | bradley brad | brandon brand | cameron cam | caroline carol carrie caro |
catherine kathryn katharine katherine cathy kathy kate katie kat cath | katharina kathi kathrin katrin kati | charles
charlie chuck chas chaz | charlotte charlie lottie lotte | christina chris tina christy | christine chris tina christy
| christian chris | christopher chris topher kit kris | clifford cliff | cynthia cindy | daniel dan danny dani |
daniela dani | danielle dani | david dave davey | deborah deb debbie debby debra | dennis denny | dominic dom nick |
dominik dom | donald don donnie | dorothy dot dottie dolly | douglas doug | edward ed eddie ted teddy ned | edwin ed
eddie | eleanor ellie nora nell | elizabeth liz beth betty lizzie eliza betsy lisa elisabeth libby | elisabeth lisa
sissi lisi elise | emanuel manuel manu | emily em emmy | eric erik | eugene gene | evelyn eve evie | florian flo |
frances fran franny | francis frank fran | francesco franco | francisco paco pancho fran chico | franklin frank | franz
franzi | friedrich fritz fred | frederick fred freddie freddy rick | gabriel gabe | gabriele gabi | gabriella gabby |
geoffrey jeffrey jeff geoff | georg schorsch | gerald gerry jerry | gerhard gerd | giovanni gianni | giuseppe beppe
peppe | gregory greg gregg | guillermo memo | gwendolyn gwen | harold harry hal | heinrich heinz heiner | helen nell |
henry harry hank | hans johannes | howard howie | ignacio nacho | isabella bella izzy isa | isabel bella izzy | jacob
jake | jakob jake | jacqueline jackie | james jim jimmy jamie | janet jan | jasmine jas | jason jay | jean jeannie |
jennifer jen jenny jenn | jeremy jerry | jessica jess jessie | jesus chuy | joachim jochen achim | joanna jo asia |
joanne jo | johannes hannes hans jo | johanna hanna jo | john jack johnny jon | jonathan jon jonny johnny nathan | jose
pepe ze | joseph joe joey | josef sepp | josephine jo josie | joshua josh | juergen jurgen | julia juli | justin just |
karl carl kalle | kenneth ken kenny | kimberly kim | konstantin kosta | lawrence larry laurence | leonard leo len lenny
| leonardo leo | leopold leo poldi | lewis louis lou lew | lillian lily lil | louise lou | lucas lukas luke luc |
ludwig lutz | magdalena lena magda leni | manfred manni | marcus mark markus marc | margaret maggie meg peggy marge
greta margie | margarete grete greta gretel | maria mia | mario marius | martha marty | martin marty | martina tina |
matthew matt matty | matthias matti | maximilian max maxi | maxwell max | megan meg meghan | melissa mel missy |
michael mike mick mickey mikey michi | michaela michi | miguel mike | mitchell mitch | mohammed mohamed muhammad
mohammad muhammed mohamad mohd mo | nancy nan | natalie nat | natasha tasha | nathaniel nathan nate nat | nathan nate |
nicholas nick nicolas nicky nico | nicole nicky nikki nic | nikolaus niki klaus nico | olivia liv livvy | oliver ollie
olli | pamela pam | patricia pat patty tricia trish | patrick pat paddy | peter pete | philip phillip phil | phillip
phil | philipp phil | rachel rachael rach | raymond ray | rebecca becca becky | reginald reg reggie | richard rick dick
rich ricky richie | robert bob rob bobby robbie bert | roberto beto | roberta bobbie | rodney rod | roland rolli |
ronald ron ronnie | rosemary rose rosie | rudolf rudi rolf | russell russ | ruth ruthie | samantha sam sammy | samuel
sam sammy | sandra sandy | sarah sara sally | sebastian seb basti bastian | sharon shari | sophia sophie sofia sofie |
stanley stan | stefan steffen stephan steff | stefanie steffi stephanie | stephanie steph stefanie | stephen steve
steven stevie stephan | steven steve stevie | susan sue suzy susie susanne suzanne | susanne susi sanne | sylvia silvia
| teresa terry theresa tess | terence terry | theodore ted teddy theo | theodor theo | theresa resi terry | thomas tom
tommy thom | timothy tim timmy | tobias tobi | ulrich uli | ulrike uli ulli | valerie val | vanessa nessa | veronica
ronnie vera | victor vic viktor | victoria vicky vicki tori vikki | vincent vince vinnie | virginia ginny | walter walt
wally | wilhelm willi willy | william bill will billy willie liam | wolfgang wolf wolfi | zachary zach zack zachery |
ekaterina katya katia | dmitri dima dmitry dmitriy | aleksandr sasha alexander | aleksandra sasha alexandra | yevgeny
evgeny zhenya | mikhail misha | nikolai kolya nikolay | dmitry dima mitya | dmitrii dima mitya dmitry | yurii yura yuri
| vasilii vasya | aleksei alyosha lyosha | sergei sergey seryozha | vladimir vova volodya | ivan vanya | yuri yury |
pavel pasha | anastasia nastya | tatiana tatyana tanya | natalia natalya natasha | olga olya | maksim maxim max |
małgorzata gosia malgorzata | katarzyna kasia | krzysztof krzysiek | tomasz tomek | agnieszka aga | jakub kuba | zofia
zosia | cornelis kees | hendrik henk | pieter piet | mikael micke | kristina stina | eduardo lalo edu | guadalupe
lupita lupe | rosario chayo | fernanda fer nanda | fernando fer nando | alejandro ale | alejandra ale | vikram vicky
vikki | isabelle isa | nathalie nath | sebastien seb bastien | elisabet lisa elise | elisabeth els | wilhelmina mina
wil | gabriel biel | antonio toninho | carlos carlinhos | patricia pati | camila mila | birgitta gittan | sandeep sandy
| rajesh raj | veronica vero | rafael rafa | dolores lola | concepcion concha conchita | rosario charo | enrique quique
kike | javier javi | manuel manolo manu | manuela manoli | antonio tono toño | alberto beto berto | humberto beto |
pilar pili | mercedes merche | federico fede | santiago santi | gustavo gus tavo | beatriz bea | consuelo chelo | jose
chema | francisca paca paqui | encarnacion encarna | teresa maite | isabel chabela | roberto tito | luis lucho | ursula
uschi ulla ursel | cornelia conny nelly | brigitte gitti gitte biggi | birgit biggi gitti | johann hansi hans |
johannes hansi jan | sebastian wastl | theresia resi thesi | eva evi | helene leni lene | magdalena leni | gertrud
trudi traudl gerti | gertraud traudl traudi | waltraud traudl trudi | adelheid heidi | ulrich ueli uli | jakob kobi
koebi | alfred fredi | manfred fredi | monika moni | gabriele gabi | franz franzl | heinrich heiri | werner wernli |
margaretha gretl grit | rosemarie romy rosi | rosa rosi | annemarie annemie anne | eduard edi | dietmar didi | dieter
didi | siegfried sigi | giuseppe peppino pino beppino | luigi gigi gino | domenico mimmo | salvatore toto turi |
vincenzo enzo | lorenzo renzo | alessandro sandro ale | alessandra sandra ale | giovanni nanni gianni vanni | giacomo
mino | bartolomeo meo | emmanuel manu | emmanuelle manue | marguerite margot | dominique domi | andre dede | jacques
jacquot jacky | gerard gege gerry | jean jeannot | anna ania anya andzia | joanna aska asia | wojciech wojtek |
bartlomiej bartek | bartosz bartek | grzegorz grzesiek grzes | stanislaw staszek stas | aleksandra ola | ewa ewka | jan
jasiek janek | piotr piotrek | michal michalek | pawel pawelek | malgorzata gosia malgosia | katarzyna kaska | henryk
heniek | zbigniew zbyszek | tadeusz tadek | wladyslaw wladek | ryszard rysiek | jozef jozek | kazimierz kazik |
elzbieta ela | danuta danka | jan honza jenda | josef pepa | jiri jirka | antonin tonda | katerina katka | frantisek
franta | vaclav vasek | zdenek zdenda | jaroslav jarda | ladislav lada | miroslav mirek | jana janicka | willem wim |
jacob jaap | jakob jaap | nicolaas klaas nico | petrus piet peter | antoon toon | anton toon ton toni | bartholomeus
bart | jacques sjaak | gerrit gert | margriet griet | lars lasse | per pelle | nils nisse | olof olle | margareta
maggan | bo bosse | beatrice bea trixie | eleanor nellie | helen nellie | mary molly polly mamie | gerard gerry |
archibald archie | augustus gus | bernadette bernie | constance connie | mildred millie | winifred winnie | harriet
hattie | annette nettie | angelina angie | regina gina | adelaide addie | adele della | madeline maddie | madison
maddie maddy | montgomery monty | bernard barney | kirsten kirsty | penelope penny | michelle shelly | ezekiel zeke |
jedidiah jed | laura lori laurie | joan joni | stuart stu | stewart stew | florence flo flossie | henrietta hetty etta
| marilyn mari | charlene char | dmitriy dima mitya | aleksey alyosha lyosha alexey alexei | konstantin kostya | pyotr
petya petr | nikita nik | svetlana sveta | yelena lena elena | elena lena | lyudmila lyuda mila | galina galya | irina
ira | yekaterina katya | mariya masha maria | darya dasha | tatyana tanya | viktoriya vika | yuriy yura | sergey
seryozha | vasiliy vasya | mehmet memo | ahmed ahmad ahmet | hassan hasan | hussein hossein husain | karim kareem |
salim saleem | rahim raheem | amir ameer | samir sameer | khalid khaled | mahmoud mahmud mehmood | omar umar | osman
othman | yusuf youssef yousuf | fatima fatma fatimah | mariam maryam | aisha ayesha | mustafa mostafa musti | ibrahim
ibo | suleyman sulo
"""
"""Groups of forms of one name; a short form may be in several."""

_OTHERS = """
adam adrian adriana agnes aisha alan alain alba alberto alessandra alessandro alina aline allan alma alvaro amelia
amelie amy ana anais andre angelo anika anita anja ann anna anne annette annika ariel arne arno astrid aurora ava axel
ayse beate beatrice bella berta bettina bianca birgit bjorn bo boris brian brigitte bruno camila camilla carina carla
carlo carlos carmen carolina cecilia celine chiara chloe clara clare claire claudia claudio cora corina corinna
cornelia cristina dana darren dario dean denise diana diego dieter dina dirk dora doris edith elena elias elif elisa
ella ellen elsa emil emilia emilie emilio emma emre enrico enzo erika erin ernst esther ethan eva fabian fabio fatima
felix fernando fiona flavia flora franca franziska fredrik frida gemma george georgia gerda gina giulia giulio gloria
grace graham gustav hanna hannah hans heidi heike helena helene helga helmut hilda holger horst hugo ian ida ilona ines
inga inge ingrid irene irina iris isaac ismael ivana jaime jan jana jane janina janine jean jens jeanne jesse jill joan
joel joerg jonas jorge jose josefina juan juana judith julian juliana juliane julie julio jules june jutta kai karen
karin karina karla kathleen keith kelly kerstin kevin kirsten klara klaus kurt lara lars laura lea leah lena leo leon
leona leonie lia liam lina linda linus lisa liv livia lola lorena lorenzo lotta lucia luciano lucie lucy luigi luis
luisa luise lukas luna lydia lynn maja malte manuela mara marcel marcela marcella marcello marco maren margot mariana
marianne marie marina marino marion marisa marla marlene marta mary mateo matteo mats maya melanie mia miguel mila
milan mina mira miriam moritz mona monica monika nadia nadine naomi nele neil nick nils nina noah noel noemi nora norma
oscar oskar otto pablo paola paolo pascal paul paula paulo paulina pauline pedro petra pia pierre pilar rafael rainer
ralf ramon ramona raul regina renata renate rene ricardo rita roger rolf roman rosa rosie ross ruben ryan sabina sabine
salvador samira sara sergio silke silvio simon simona simone sofia sonia sonja stella sven svenja sybille tamara tanja
tara tatjana theo thea tim tina tobias toni torsten trevor udo ugo ursula uta ute uwe valentin valentina valeria
valerio vera verena viola vito viviana wanda wendy werner xaver yara yvonne zoe ravi rani ming ling jing ying amina
amira kamil jamil dara hanne bess daan jamila kamila rina noa nico alexis harriet henrietta margarita mariah jaiden
aiden ayden hayden jayden kayden brayden grayden jaylen kaylen ramesh rajesh rakesh mahesh suresh naresh dinesh ganesh
mukesh umesh lokesh nilesh hitesh ritesh jignesh kamlesh anil sunil sunita anita kavita savita namita amit sumit rohit
mohit lalit ajit arun varun tarun kiran karan charan manish danish ashish harish girish satish nitin nitish jitin vipin
vijay ajay sanjay dhananjay priya priyanka supriya divya kavya navya pooja puja neha sneha reena veena meena leena
seema reema deepa deepak deepika rekha lekha usha asha nisha hiroshi hitoshi satoshi takashi takeshi tadashi atsushi
masashi kenji kenta kenichi koji shoji yoji yuji yuki yuko yumi yumiko fumiko sumiko kumiko tomiko tomoko keiko reiko
meiko seiko akiko akira akihiro masahiro yasuhiro takahiro julien lucien fabien damien vivien haruki haruka naoki naoko
hideki hideko kazuki kazuko kazuo haruo yasuo masao mohsen selim nasim wasim basim tamim amin yasin rashid rashad walid
majid sajid wahid zahid nabil jalil khalil munir nasir yasir jabir salma selma asma hana rana dana lina dina rima reem
ali veli murat fırat suat fuat emre emrah ayse ayşe meltem berk berkay ilker tamer soner taner ömer önder wei mei fei
lei hui hua xiu jun jin jian juan min minh linh lan hoa hung dung tuan quan van nam trang hang
"""


def _groups() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, group in enumerate(_FORMS.split("|")):
        for name in fold(group).split():
            found.setdefault(name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


_GROUPS = _groups()
KNOWN = frozenset(_GROUPS) | frozenset(fold(_OTHERS).split())
"""Names that are no slip of the finger of one another: Maria and Mario, Anna and Anne, Jan and Jon."""
_NONE: frozenset[int] = frozenset()


def are_forms_of_one(one: str, other: str) -> bool:
    """True if both folded names are forms of one name, such as Bob and Rob, both of Robert."""
    return not _GROUPS.get(one, _NONE).isdisjoint(_GROUPS.get(other, _NONE))
