/*
 * Passwords and words that guessing starts with: the heads of published lists of leaked passwords in several languages,
 * keyboard walks, names, teams, products and defaults. Lower case, without accents. Words with digits or signs around
 * them (`Summer2024!`) are found by the word, so only other mixtures stand here beside it.
 */
const words = `
!qaz2wsx 000000 00000000 007007 007bond 01234567 012345678 0123456789 0192837465 0987654321 100200300 101010 10101010
102030 10203040 1020304050 1029384756 111111 1111111 11111111 111111111 1111111111 11111112 11112222 111222 111222333
111222tianya 112211 112233 11223344 1122334455 12011987 121212 12121212 1223334444 123123 12312312 123123123 123321
12341234 1234321 12344321 1234509876 1234512345 123454321 123456 123456123456 1234567 12345678 123456789 1234567890
1234567890a 1234567891 12345678910 1234567898 1234567899 123456789a 123456789q 12345678a 12345679 1234567a 123456a
123456aa 123456abc 123456q 12345abc 12345qwert 1234abcd 1234qwer 1234rewq 123654 123654789 123789 123789456 123abc
123abcd 123qwe 123qwe123 131313 1314520 1337 13579 135790 1357924680 147258 147258369 147852 147852369 147896325
159357 159753 159753456 19841984 1a2b3c 1a2b3c4d 1q2w3e 1q2w3e4 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz1qaz 1qaz2wsx
1qaz2wsx3edc 1qaz@wsx 1qazxsw2 20002000 20202020 20242024 20252025 222222 22222222 246810 24681012 2468101214 258456
271828 27182818 2pac 2wsx3edc 314159 31415926 3141592653 31415926535 321321 321654 321654987 333333 33333333 369258147
420420 42042069 444444 44444444 456123 456456 456789123 456852 49ers 50cent 5201314 5201314a 520520 5432109876 555555
55555555 5555555555 654321 666666 66666666 66668888 696969 69696969 741852963 7654321 777777 7777777 77777777
789456123 789789 852456 87651234 87654321 888888 88888888 8888888888 88889999 963852741 987456321 987654 98765432
987654321 9876543210 999888777 999999 99999999 9999999999 a123456 a1234567 a12345678 a123456789 a1b2c3 a1b2c3d4
a1b2c3d4e5 a1s2d3f4 aa123456 aaa111 aaaa1111 aaaaaa abc123 abc1234 abc12345 abc123456 abcabc abcd1234 abcd12345
abcdabcd abcdef abcxyz access accessgranted accord account accounting accounts acdc acmilan action admin adminadmin
administrator adminpass adventure africa agnieszka aini1314 airborne airbus airforce airplane ajax aladdin alaska
alejandra alejandro alessandro alessia alexander alexandra alexandre alexis alfaromeo algeria aliceinwonderland alien
aliens allah allison allstar alpha alphabet alpine always amanda amateur amazing amazon amber amelia america american
amigo amigos amistad amor amorcito amoremio amores amour amsterdam anaconda anakin anarchy andrea andrew android
andromeda angel angelbaby angelina angelito angels angular animal anjing ankara anonymous ansible anthony anthrax
antonio anybody apache apocalypse apollo appeltje apple apples april aquaman aragorn arbeit arcangel archer arduino
argentina arigato aristotle arizona armageddon army arrow arschloch arsenal artist asd123 asd123456 asdasd asdasdasd
asdf asdfasdf asdfgh asdfghj asdfghjk asdfghjkl asdqwe asdzxc147 ashley asia askim askım asshole asterix athena athens
atlanta atlantis attack audi audia4 august aurora austin australia austria authenticate authentication authorization
authorize autumn avalanche avatar avengers azerty azertyuiop babes baby123 babyangel babyboy babydoll babygirl
babylove bacardi backup backups bacon badass badboy badgirl bailey baller bambam banana bananas bandit bandung
bangbang bangkok bangladesh barbie barbiegirl barcelona barney bartek bartsimpson baseball basketball bass bassman
bastard bastian batman battery battlefield bayern bayernmunich beach beagle bear bears beatles beautiful beaver
beckham beer beerbeer beetle beijing belgium believe bella benfica bengals benjamin benny bentley berlin bernard
bernie besiktas bestfriend bestfriends beyonce bff4ever bharat bible bicycle bigapple bigbang bigboss bigboy
bigbrother bigcock bigdaddy bigdick bigdog bigfoot biggie bigmac bigmama bigman bigred bigtits billion billy billybob
biology birdie birdman birmingham birthday biscuit bishop bismillah bisous bitch bitches bitcoin biteme blabla
blablabla blablah black blackberry blackbird blackcat blackhawk blackjack blackpink blacksabbath blade blah123
blahblah blaster blazer bleach blessed blessing blink blizzard blockchain blonde blondie bloody blossom blowjob blowme
blue blueberry bluebird bluemoon bluesky blume blumen bmwbmw bmwm3 bobby bobcat bobdylan bobmarley bocajuniors boeing
bollocks bomber bond007 bondage bonita bonjour bonjovi bonnie booboo boobs booger boogie book books bookworm boomer
borussia boss bossman boston bowling boxing bradley brandon brandy brasil braves brazil breakingbad brenda brewster
bride bridge britain britney brittany broccoli bronco broncos brooke brooklyn brother brothers brownie browns bruce
brucelee brussels brutus bryan btsarmy bubba bubblegum bubbles bucharest buckeye buckeyes buckshot budapest buddha
buddy budlight budweiser buffalo buffy bugatti bugsbunny bulgaria bulldog bulldogs bullet bullfrog bulls bullseye
bullshit bumblebee bunny buongiorno burger burrito business buster butter buttercup butterfly butthead button buttons
caesar california callofduty calvin calvinklein camaro camera cameron camille camry canada candy candyman canim
cannabis cannon canon canyon caonima cappuccino captain captainamerica captainkirk caramel cardinal cardinals carino
carlos carmen carolina caroline carrie carrot cartman casanova cash cashmoney casper cassandra castle catalina catcat
catdog catfish catherine catwoman celeste cellphone celtic celtics cement centos ceo123 cfitymrf chairman challenger
champion champions champs chance chandler changeit changeme changethis chaos charger chargers charizard charlene
charles charlie charliebrown charlotte charmed chase cheerleader cheese cheesecake cheetah chelsea chelseafc chemistry
cherokee cherries cherry chester chevelle chevrolet chevy chewbacca chewie chewy chicago chicco chicken chico chiefs
chile china chipper chips chivas chocolat chocolate chopper chouchou chris christ christian christina christine
christmas christopher christy chrome chronic ciao ciaociao cinder cinderella cinema cinnamon cinta cintaku cisco
citroen civic clarence claudia clave cleopatra cleveland client clientsecret clifford clinton clipper clouds clover
cobra cocacola cocksucker coco cocoloco coconut coder coding coffee coke colleen college cologne colombia colorado
colors colts columbia commander commando company computer concorde concrete confluence connor conrad contact
contrasena cookie cookies cooper cop1234 copenhagen copper corazon corinthians corolla corona correct
correcthorsebatterystaple corvette cosmo cosmos coucou cougar counterstrike country courtney cousin cowboy cowboys
cowgirl coyote cracker crackers craig crazy crazygirl crazyman creative cricket crimson cristiano croatia cruise
crusader cruzazul cruzeiro crypto crystal csharp cubs cucumber cuddles cumshot cupcake curtis cutie cutiepie cyber
cycling cyclone cygnus daddy daddysgirl daisy dakota dallas dance dancer dancing daniel daniela danielle daredevil
darkangel darkknight darkness darkstar darling darren darthvader database dave david davidson dba1234 dbadmin deadhead
deadman deadpool death deathnote debbie debian deborah december deepblue default delaware delfin delta deltaforce demo
demodemo demon denise denmark dennis denver derek derrick desert desire destiny detroit deus deusefiel deutschland
developer development devil devils devops dexter diablo diamond diamonds diana dickens dickhead diesel digimon digmon
dilbert dinosaur director dirtbike disco discover discovery divorce dlink doberman docker doctor dodge dodgers
dogecoin doggie doggy dollar dollars dolly dolphin dolphins dominic dominique donald donaldduck donna donotenter doom
doomsday doraemon dorothy dortmund dota2 dotnet double doudou download dragon dragonball dragonfly dragons dreamer
dreams drifter drowssap drpepper drummer drums drupal dublin ducati duck ducks ducky duke dumbledore duncan dungeon
dupadupa dusty dylan dynamite eagle eagles earth earthquake easter eastside easy eclipse edinburgh edward eeyore egypt
einstein elastic elasticsearch elephant elite elizabeth elnumero1 elvis elvispresley emerald emily eminem emma
employee energy engel england english enigma enjoy enterprise eric erotic escape eskimo espana espresso estrella
estrellita eternity ethan ethereum eugene europe evelyn everlast everton everybody everyone evolution example
excalibur explorer express extreme fabulous facebook faith faithful falcon falcons fall familia family familyguy
fantasia fantastic fantasy farmer fatboy fatcat father favorite fcbarcelona february fedora felicidad felicidade felix
fender fenerbahce fernanda fernando ferrari ferret feuer feyenoord fiat ficken fiction fiesta fighter finance finland
fireball firebird firefighter firefly firefox fireman fish fishing flamengo flamingo flash flipper florence florida
flower flowers fluffy flyers flying football forbidden ford fordf150 forest forever foreverlove foreveryoung forgetit
forgetmenot forgot forgotten formula1 forrest fortnite fortuna fortune forzainter forzamilan foster fotball fotboll
foxtrot france francesca francesco francis francisco francois frank frankfurt frankie freak freaky freddy frederic
freebird freedom freeman freeporn freeuser friday friend friendly friends friends4ever friendship frodo frog frogger
froggy fruehling fruhling ftpftp ftpuser fubar fuck fucker fuckface fucking fuckit fuckme fuckoff fuckthis fuckyou
funny funnyman funtime furball fussball futbol futurama future fußball gabriel gabriela gabriella galadriel
galatasaray galaxy galileo gambit gambler game1234 gameboy gamecube gameofthrones gamer gamma gandalf ganesh ganesha
gangsta gangster garcia garden garfield garlic garnet gateway gatito gatorade geheim gemini general genesis geneva
genius george georgia gerald germany getmein getout gfhjkm ghbdtn ghost ghostbusters giants gibson gilbert ginger
giraffe girlpower github gitlab giuseppe gizmo gladiator glasgow glitter global gloria gmail goaway gocubs godbless
goddess godfather godisgood godislove godzilla gofast gogo gogogo gohard gohome goku gold goldberg golden goldengold
goldfinger goldfish goldie goldstar golf golfer golfgti golfing goober goodboy goodbye goodday goodgirl goodluck
goodman goodmorning goodnight goodtimes goofy google gopher gorgeous gorilla gostosa gotohell grace gracie grafana
grandma grandpa grapes gravity greatone greece green greenbay greenday greengreen greenlantern gregory gremio gremlin
griffin grizzly groovy gryffindor guardian guest guestguest guillermo guinness guitar guitarist gun1234 gunner
gunsnroses gustavo guten gutentag gymnast gymnastics hacked hacker hackerman hackers hacking hackme hadoop
hakunamatata halflife hallelujah hallo hallohallo halloween hallowelt hamburg hamburger hammer hammerhead hamster
handsome hannah hansolo hanuman happiness happy happybirthday happyday happyface happyfeet happyhappy happynewyear
hardcore hardrock hardware harley harleydavidson harleyquinn harmony harrison harry harrypotter harvey hase haslo
hastings hasło hatred hattrick haustier hawaii hawk hawkeye hawks headshot heartbreak heather heaven heavenly hector
heidi heineken heisenberg hejhej hejsan helen helicopter hellboy hellfire hello hellohello hellokitty hellothere
helloworld helmet help helpdesk helpme helsinki hemligt henry hentai herbst hercules herman hermes hermione hermosa
hidden highland hiphop history hithere hitman hobbit hockey hogwarts hola holahola holamundo holiday holidays holland
hollywood holmes homeless homer homersimpson homerun homewifi homework honda hondacivic honesty honey honeybee
honeybunny hongkong honolulu hooligan hooters hope horizon hornets horny horse horses hospital hosting hotdog hotgirl
hotmail hotrod hotstuff hottie household houston hudson hugsandkisses hulk hummer hund hungary hunter hurricane
husband husky hustle hustler hyundai icecream icecube iceman ichliebdich ichliebedich identity idiot idontcare
idontknow iforgot ihatelife ihatepasswords ihateschool ihatethis ihateyou ilikepie ilikeyou illusion ilove ilovegod
iloveindia ilovejesus iloveme ilovemom ilovemyself iloveu iloveyou iloveyoubaby iloveyoumom iloveyousomuch imac
imagine imissyou immortal impala imperial implant independent india indian indianajones indians indigo indonesia
infantry infinite infinity info informix ingrid insane insanity inside instagram integra integrity intel inter
intermilan internet intrepid invader invisible ipad iphone ireland iriver ironmaiden ironman isabel isabella isabelle
island istanbul italia italy jack jackass jackdaniels jackie jackpot jackson jacob jaguar jaguars jaishreeram jakarta
jake jamaica james jamesbond janice january japan jasmin jasmine jason jasper java javascript javier jazz jazzy
jeanette jedi jediknight jeep jeffrey jenkins jennie jennifer jenny jeremiah jeremy jermaine jerry jersey jessica
jessie jester jesus jesuschrist jesuscristo jesuslovesme jetaime jewels jimbob jimmy jira joanna johanna john316
johncena johndoe johnny johnson jojo joker jokers jonathan jonsnow joomla jordan joseph josephine joshua journey joyce
joyful julian juliana julie july july4th jumper june junebug jungle junior juniper jupiter jurassicpark justice justin
justinbieber justme juventus kafka kangaroo karaoke karate karen karina karma karolina kasia katana katasandi
katherine kathryn katie katrina katze kawaii kawasaki kayla kayleigh keepout keith kelly kelsey kenneth kennwort kenny
kentucky kenya kermit kevin keyboard keycloak khaleesi kibana kicker kiev kiki killbill killer killers killjoy kimber
kimberly king123 kingdom kingfisher kingking kingkong kingston kirsten kisses kisskiss kissme kitkat kitten kittens
kitty kittycat kjaerlighet knicks knight knights kobe24 kobebryant kocham kochanie kodeord kodiak koeln konnichiwa
korea korn kpop krishna kristen kristin kristina kristine krypton kubernetes kucing kurwa123 l33t lacrosse ladies lady
ladybug ladygaga lakers lakeside lamborghini lannister lansing laptop larry laser lasvegas laughing laura lauren
lawyer leagueoflegends leather lebron ledzeppelin leet legacy legend legendary legion legolas lehrer lemon lemonade
leo1234 leonard leonardo leopard leslie lestat letmein letmeinnow letter li123456 liberty library lickme liebe lief
liefje lifehack lifeisgood lifetime lightbulb lighthouse lightning lily limited lincoln linda lindsay lindsey linkedin
linkinpark linksys linux lion lionking lions lipstick lisa lisboa lisbon literature little littleman livelife
liverpool liverpoolfc lizard ljubov lkjhgf lkjhgfdsa lmao lobster lockdown logan login loginpassword logmein loki
lol123 lola lollipop lollol lollypop london lonely lonestar lonewolf longhorn longhorns looking looser loquita
lordoftherings loremipsum loremipsumdolor lorena lorraine losangeles losenord loser lottery lotus louie louis louise
louisiana loulou loveforever lovehate lovehurts lovelove lovely loveme lover loverboy lovergirl loveyou lowrider
loyalty lucas lucifer lucky luckydog luckyone lucy luffy lukeskywalker luna luther lyubov macaroni macbook machine
maciek macintosh madison madmax madness madonna madrid maestro magento maggie magic magical magneto magnolia magnum
mailman majestic makemoney malaysia malcolm mallard mama mamacita mamamia mamapapa mamour manager manchester
manchesterunited mancity mandalorian mandarin mandy mango manhattan manman manolo manson manunited manutd maradona
marathon marcel march marcus margaret margarita maria mariah marie marilyn marina marine marines marinka mario
mariposa marissa marjorie marketing markus marlboro marley marlin marriage marseille marshal marshall marshmallow
martha martin martina martini marvel marvin mary maserati master masterkey mateusz math mathematics matilda matrix
matthew matthias maurice maus mausi maverick max12345 maxima maximum maximus maxmax maxwell mayday maytheforce
maytheforcebewithyou mazda mazdarx7 mclaren medical medicine medusa megadeth megaman megan megatron meinpasswort
melanie melbourne melissa melody mercedes mercedesbenz merci meredith merlin mermaid merrychristmas messi metal
metallica metroid mets meuamor mexican mexico miami miamor michael michaela michaeljordan michele michelle michigan
mickey mickeymouse micorazon microsoft midget midnight midnite miguel mikemike mikey milan military millennium miller
million millionaire milo mima1234 mimi mindy minecraft minhasenha minime minio123 minioadmin minnie minniemouse
miracle miranda misfit misiek mission missouri misspiggy missy missyou mitchell mittens mivida mnbvcxy mnbvcxz
mnemonic mobile modem modern molly mom123 momdad mommy monaco monamour monday money moneymoney mongodb monica monique
monisha monitor monkey monkeyboy monkeys monopoly monster monsters montana montecarlo montreal monty moocow mookie
moon moonbeam moonlight moonshine moose mordor morgan morocco morpheus morrison mortgage mortimer moscow moses moskva
motdepasse mother motherfucker motorbike motorcycle motorola mountain movie movies mozart mudvayne muffin muhammad
mummy mummypapa munchkin munich murphy muscle mushroom music musica mustafa mustang myfamily mylove mypassword
mysecret myspace mysql mystery mystic mytoken mywifi nadine nagios naked nala namaste nana napoli naruto nasa nascar
natalia natalie natasha nathan nathaniel naughty navy navyseal nebraska necromancer nederland nelson nemo neptune
netflix netgear netherlands netscape network nevada neverland newcastle newlife newman newpassword newport newton
newyear newyork newyorkcity newzealand nextel neymar nginx nicholas nicola nicolas nicole nigeria nightmare nightwing
nihao nikita nimrod niners nineteen ninja nintendo nippon nirvana nissan nissan350z nobody nodejs noentry nokia
none1234 nonsense noodles nopass nopassword norman normandy northern norway notebook nothing notorious november nugget
number1 number9 nurse nursing nutmeg oakland oakley oauth oblivion obrigado obsession obsidian ocean october octopus
office offspring ohio oklahoma oldpassword oldschool oliver olivia olympic omega omg123 omgomg omsairam onceuponatime
one23456 onedirection onepiece online onlyme opel openid opensaysme opensesame openup opera operator optimus oracle
orange orchid oregon oreo original orioles orlando oscar oslo otis outback outkast outlaw outlaws outlook overkill
overlord overwatch oxford p@ssword pa55word packard packers paco pakistan paladin palmeiras palmer pamela panama
panasonic pancake pancakes panda pandora pantera panther panthers papa paper paradise paradox paramore paris parol
parola parool party partytime pass123 pass1234 passion passord passpass passw0rd passwd password passwords passwort
patches pathfinder patience patricia patrick patriot patriots paul pavilion payday peace peaceful peacelove peaceout
peach peaches peanut peanutbutter pearl pebbles peekaboo pele pencil penguin penguins penis pentium people pepper
pepsi perfect perfection performance perrito persephone personal peru peter peterpan peugeot phantom pharmacy
philadelphia philippe philippines phillies phillip phillips philly phish phoenix phone photo photos photoshop physics
pi314159 piano pianoman picard picasso pickle pickles picture pictures piercing piglet pikachu pilot pimp pimpdaddy
pimpin pinball pineapple pink pinkfloyd pinkie pinkpink pinky pinnacle pioneer pirate pirates pistol pitbull pizza
planet platinum platypus playa playball playboy player playgirl playstation playtime please pluto poetic poetry poison
poiuyt poiuytrewq pokemon pokey poland polaris police polopolo polska pontiac pony poodle poohbear pookie popcorn
popeye poppop popsicle popstar porkchop porn porno pornstar porsche portable portland porto portugal positive postgres
postgresql potato power powerful powers prague praise precious predator president preston pretty prettygirl primetime
prince princesa princess princesse princeton printer prinzessin privacy private privet problem prodigy professional
professor program programmer programming promise prosper protect protected protocol providence psycho psychology
public pumas pumpkin punisher punkrock puppet puppies puppy puppydog puppylove purple pussy pussycat pyramid python
q1w2e3 q1w2e3r4 q1w2e3r4t5 qazwsx qazwsxedc qazwsxedcrfv qq123123 qq123456 quality quantum quasar quebec queen quest
quickbrownfox quicksilver qwaszx qwe123 qwe12345 qweasd qweasdzxc qweqwe qweqweqwe qwer1234 qwerasdf qwerasdfzxcv
qwerty qwertyu qwertyui qwertyuio qwertyuiop qwertz qwertzui qwertzuiop rabbit rabbitmq racecar racer rachael rachel
racing radio rahasia raiders rain rainbow rainbows raindrop rainyday raistlin rambo rammstein random randy ranger
rangers raptor rascal raspberry raspberrypi rasta rastaman ratman raven ravens raymond razor react reading reality
realmadrid realtor rebecca rebel rebels red123 redbull reddog redhat1 redhead redis redneck redred redrose redskins
redsox redwings reefer reggae reggie regina reliance remember rememberme remote renault renegade republic requiem
rescue research respect restore retard return1 revenge revolution rexrex reynolds rhapsody ricardo rich1234 richard
richman ricky rider rihanna riley ringo ripper river riverplate riverside roadkill roadrunner robert roberta roberto
robin roblox robotech robotics rocco rocket rocketman rockets rocknroll rockon rockstar rockwell rocky rockyou rodney
rodrigo rofl123 roflrofl roller rollingstones rollsroyce roma romance romania romantic rome romeo ronald ronaldinho
ronaldo rooster root rootpass rootroot rose rosebud rosemary roses rossiya rotterdam rottweiler router roxanne royal
ruby rufus rugby runescape runner running rush2112 russell russia rusty ruth ryan sa123456 saab sabotage sabrina sadie
safari safe1234 safety saibaba sailing sailor sailormoon saint saints sairam sakura salasana sales salut salvador
salvation samantha sammy sample samsam samson samsung samuel samurai sandiego sandman sandra sandwich sandy
sanfrancisco sanjose santa santaclaus santana santiago santos saopaulo sap123 sapphire sapsap sarah sasha sassy sasuke
satan saturday saturn saudade sauron savage savannah saxophone sayang sayangku scanner scarecrow scarface scarlet
scarlett schalke schatz schatzi scheisse scheiße schmetterling school schoolsucks schooner schule science scooby
scoobydoo scooter scorpio scorpion scorpions scotland scott scotty scout scrappy scream seabiscuit seagull seahawks
search seattle sebastian secret secrets secure secured security selena semperfi senha senior seniseviyorum sentinel
seoul september serbia serenity sergeant sergio server service servicepass seven7 seventeen sex69 sexbomb sexsex
sexual sexy sexyboy sexygirl sexylady sexylove sexymama shadow shakira shalom shaman shamrock shanghai shania shannon
shark sharks sharon sheba shelby shelley sheriff shiloh shinobi shirley shit shitface shithead shiva shogun shooter
shorty shotgun shotokan showtime shredder shrek siemens sierra sifre silence silver silverado sim1234 simba simon
simone simple simpson simpsons sinclair singapore singer single sister sisters sixpack skate skateboard skater skeeter
skiing skippy skoda skyhawk skyline skywalker slacker slayer slimshady slipknot slytherin smackdown smartass smashing
smile smiles smiley smiling smirnoff smokey smooth smother snake snakes snape snapper snickers sniper snoopdogg snoopy
snow snowball snowboard snowflake snowman snowwhite snowy soccer socks softail softball software solaris soldier
soleil solution somebody somerset something sommar sommer sommeren sonic sonnenschein sony sooners sophia sophie
soprano soulmate southafrica southern southpark southpaw spaceship spaghetti spain spanky spark sparky sparrow spartak
spartan spartans special specialk spectrum speed speedway speedy spencer spider spiderman spike spirit spitfire splash
splunk spock spoiled sponge spongebob spooky sport sporting sports spot spotify spring springtime sprinter sprite
sqladmin sqlserver squirrel srilanka stallion stanford stanley staple starbucks starcraft stardust starfish stargate
stark starlight stars start123 startklar startrek startup starwars steak stealth steam steelers steelman stella
stellina stephanie stephen stern sternchen steven stevie stewart sticky stingray stinky stockholm stone stonecold
stoner storm stormy strange stranger stratus strawberry strength strike striker stripper strong student students
stupid subaru sublime submarine success sucker suckit suckmydick sugar summer summertime sunday sunflower sunny
sunnyday sunrise sunset sunshine superadmin superfly supergirl superior superman supernova superpower supersecret
supersonic superstar superuser support supra surabaya surfer surfing survivor susan sushi suzanne suzuki swag swagger
sweden sweet sweetheart sweetie sweetiepie sweetness sweetpea sweety swimmer swimming switzerland swordfish sydney
sylvester sylvia syracuse sysadmin system taco tacos taiwan tango tank tanner targaryen targas tarheels tarzan tattoo
taurus taylor taylorswift tazmania teacher teachers teamo teamomucho teamwork technics techno technology teddy
teddybear teenager tekken telefon telegram telephone television temp template temporary temppass temptation tennessee
tennis tequiero tequieromucho tequila teresa terminator terrapin terrence tesla test tester testing testtest testuser
teufel texans texas thailand theband thebest theboss thedude theforce theking thematrix theodore thepassword
thequickbrownfox thequickbrownfoxjumps theresa therock thirteen thisisapassword thisisit thisisme thisismypassword
thisispassword thisissparta thomas thompson thor thuglife thumbs thumper thunder thunderbird thunderbolt thursday
tiamo tiberius tiffany tiger tigerlily tigers tigger tigres timber timberland timothy tinker tinkerbell titan titanic
titans tobeornottobe toby together token tokyo tomahawk tomato tomcat tommy tomorrow toonarmy toor topgun topsecret
tornado toronto tothemoon toto tottenham toyota tplink tractor transam transformers travis treasure trekkie trevor
trigger trinity triplets tristan triumph trixie trojan trojans trooper tropical trouble truck trucker truelove trumpet
trustme trustno1 trustnoone truth tucker tuesday tulip tunafish tupac tupacshakur turbo turkey turkiye turner
turquoise turtle turtles tweety tweetybird twilight twinkle twisted twister twitter tyler typescript ubiquiti ubnt
ubuntu ukraine ultimate ultra umbrella undertaker underworld unforgiven unicorn unicorns united unitedstates universal
universe university unix unknown upload upyours urlaub usa123 user username userpass usmarine utopia vacances vacation
vader vagina vagrant valdez valencia valentin valentina valentine valhalla valley vampire vampires vancouver vanessa
vanguard vanilla vasco vault vegeta velocity velvet venezuela venice venom ventura vermont veronica versace vfrcbv
victor victoria victory video vienna vietnam viking vikings vincent vintage violence violet violin viper virginia
virus vision vivian vodka voetbal volcano voldemort volkswagen volleyball volvo voodoo voyager vuejs vulcan wachtwoord
waffle wales walkingdead wallace walmart walnut walter wanderer wang1234 wanker warcraft warhammer warlock warren
warrior warriors warsaw washington wasser wassup water waterfall waterloo watermelon watson wazzup weapon weather
web1234 webadmin webmaster website webster wedding wednesday weekend weezer welcome welcomeback welcomehome welkom
wellington wendy werewolf wesley western westham westlife westside wetpussy whale whatever whatisthis whatsapp whatsup
whiplash whiskers whiskey whisky white whiteboy whitecat whitewolf whitney whocares wife wifi wifipassword wildcat
wildcats wildfire wildman wildwood william williams willow wilson winchester windmill window windows windsor winner
winners winnie winniethepooh winston winter winterfell wireless wisdom wizard wo123456 woaini wolf wolfgang wolfman
wolfpack wolverine wolves wonder wonderful wonderland wonderwoman woodland woodstock woody wordpass wordpress work
worker workhard working worldcup worldofwarcraft wrangler wrestler wrestling writer writing wtf123 wtfwtf wwewwe
wyoming xander xavier xbox xerxes xmas xmen xsw2zaq1 xxx123 xxxxxx xyz123 yahoo yamaha yankee yankees yeahbaby yellow
yesterday yfnfif yoda yogi yolanda yolo yoloswag young yourmom youtube ytrewq yugioh yvonne yxcvbnm zabbix zachary
zaphod zaq12wsx zaq1xsw2 zaq1zaq1 zebra zelda zenit zeppelin zerocool zerozero zeus zhang123 zidane ziggy zigzag zoey
zombie zombies zoomzoom zorro zurich zxc123456 zxcasd zxcasdqwe zxcv1234 zxcvbn zxcvbnm zxczxc zzzzzz ицукен
ицукенгшщз любовь наташа пароль привет сергеи солнышко фывапролдж
`;

export const commonPasswords: ReadonlySet<string> = new Set(words.trim().split(/\s+/));
